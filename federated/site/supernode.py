"""``python -m federated.site.supernode ...``: Flower's own ``flower-supernode``, unchanged, on the leash of its starter."""

from __future__ import annotations

from federated.leash import hold


def main() -> None:
    """Run the SuperNode with this process's arguments until it is told to stop."""
    hold()
    from flwr.supernode.cli.flower_supernode import flower_supernode

    flower_supernode()


if __name__ == "__main__":
    main()
