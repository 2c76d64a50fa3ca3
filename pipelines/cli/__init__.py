"""The command line ``cloister``: one module a command group; arguments in, one function call, words out."""
