# ruff: noqa: E501
"""The lines of the element tables; ``contracts.fhir.elements`` says how to read them and what they leave out.

A test holds every line against the R4B models of fhir.resources. ``Observation.subject`` and ``DiagnosticReport.subject``
name the targets of R4, of which R4B has more.
Source: https://hl7.org/fhir/R4/ (StructureDefinition of each type).
"""

TABLE = """
Coding.system                             0..1 uri
Coding.version                            0..1 string
Coding.code                               0..1 code
Coding.display                            0..1 string

CodeableConcept.coding                    0..* Coding
CodeableConcept.text                      0..1 string ~

Reference.reference                       0..1 string
Reference.type                            0..1 uri @
Reference.identifier                      0..1 Identifier @
Reference.display                         0..1 string @

Quantity.value                            0..1 decimal
Quantity.comparator                       0..1 code ! quantity-comparator
Quantity.unit                             0..1 string
Quantity.system                           0..1 uri
Quantity.code                             0..1 code

Age.value                                 0..1 decimal
Age.comparator                            0..1 code ! quantity-comparator
Age.unit                                  0..1 string
Age.system                                0..1 uri
Age.code                                  0..1 code

Duration.value                            0..1 decimal
Duration.comparator                       0..1 code ! quantity-comparator
Duration.unit                             0..1 string
Duration.system                           0..1 uri
Duration.code                             0..1 code

Range.low                                 0..1 Quantity
Range.high                                0..1 Quantity

Ratio.numerator                           0..1 Quantity
Ratio.denominator                         0..1 Quantity

Period.start                              0..1 dateTime
Period.end                                0..1 dateTime

Annotation.author[x]                      0..1 string @
Annotation.time                           0..1 dateTime
Annotation.text                           1..1 markdown ~

Identifier.use                            0..1 code ! identifier-use
Identifier.type                           0..1 CodeableConcept
Identifier.system                         0..1 uri
Identifier.value                          0..1 string
Identifier.period                         0..1 Period

HumanName.use                             0..1 code ! name-use
HumanName.text                            0..1 string
HumanName.family                          0..1 string
HumanName.given                           0..* string
HumanName.prefix                          0..* string
HumanName.suffix                          0..* string
HumanName.period                          0..1 Period

ContactPoint.system                       0..1 code ! contact-point-system
ContactPoint.value                        0..1 string
ContactPoint.use                          0..1 code ! contact-point-use
ContactPoint.rank                         0..1 positiveInt
ContactPoint.period                       0..1 Period

Address.use                               0..1 code ! address-use
Address.type                              0..1 code ! address-type
Address.text                              0..1 string
Address.line                              0..* string
Address.city                              0..1 string
Address.district                          0..1 string
Address.state                             0..1 string
Address.postalCode                        0..1 string
Address.country                           0..1 string
Address.period                            0..1 Period

Attachment.contentType                    0..1 code
Attachment.language                       0..1 code
Attachment.data                           0..1 base64Binary @
Attachment.url                            0..1 url @
Attachment.size                           0..1 unsignedInt
Attachment.hash                           0..1 base64Binary @
Attachment.title                          0..1 string ~ @
Attachment.creation                       0..1 dateTime

Narrative.status                          1..1 code ! narrative-status
Narrative.div                             1..1 xhtml ~

PrimitiveExtension.extension              0..* Extension

Extension.url                             1..1 uri
Extension.value[x]                        0..1 Coding|CodeableConcept|code|string|boolean|integer|decimal|date|dateTime

TimingRepeat.bounds[x]                    0..1 Duration|Period
TimingRepeat.count                        0..1 positiveInt
TimingRepeat.duration                     0..1 decimal
TimingRepeat.durationUnit                 0..1 code ! units-of-time
TimingRepeat.frequency                    0..1 positiveInt
TimingRepeat.frequencyMax                 0..1 positiveInt
TimingRepeat.period                       0..1 decimal
TimingRepeat.periodUnit                   0..1 code ! units-of-time
TimingRepeat.dayOfWeek                    0..* code ! days-of-week
TimingRepeat.timeOfDay                    0..* time
TimingRepeat.when                         0..* code ! event-timing

Timing.repeat                             0..1 TimingRepeat
Timing.code                               0..1 CodeableConcept

DosageDoseAndRate.type                    0..1 CodeableConcept
DosageDoseAndRate.dose[x]                 0..1 Quantity|Range
DosageDoseAndRate.rate[x]                 0..1 Ratio|Quantity

Dosage.sequence                           0..1 integer
Dosage.text                               0..1 string ~
Dosage.additionalInstruction              0..* CodeableConcept
Dosage.patientInstruction                 0..1 string ~
Dosage.timing                             0..1 Timing
Dosage.asNeeded[x]                        0..1 boolean|CodeableConcept
Dosage.site                               0..1 CodeableConcept
Dosage.route                              0..1 CodeableConcept
Dosage.method                             0..1 CodeableConcept
Dosage.doseAndRate                        0..* DosageDoseAndRate
Dosage.maxDosePerPeriod                   0..1 Ratio

Patient.id                                1..1 id
Patient.identifier                        0..* Identifier @
Patient.active                            0..1 boolean
Patient.name                              0..* HumanName @
Patient.telecom                           0..* ContactPoint @
Patient.gender                            0..1 code ! administrative-gender
Patient._gender                           0..1 PrimitiveExtension
Patient.birthDate                         0..1 date
Patient.deceased[x]                       0..1 boolean|dateTime
Patient.address                           0..* Address @
Patient.maritalStatus                     0..1 CodeableConcept
Patient.multipleBirth[x]                  0..1 boolean|integer
Patient.contact                           0..* PatientContact @
Patient.communication                     0..* PatientCommunication
Patient.generalPractitioner               0..* Reference(Organization|Practitioner|PractitionerRole)
Patient.managingOrganization              0..1 Reference(Organization)
Patient.extension                         0..* Extension
Patient.link                              0..* PatientLink

PatientContact.relationship               0..* CodeableConcept
PatientContact.name                       0..1 HumanName
PatientContact.telecom                    0..* ContactPoint
PatientContact.address                    0..1 Address
PatientContact.gender                     0..1 code ! administrative-gender
PatientContact.organization               0..1 Reference(Organization)

PatientCommunication.language             1..1 CodeableConcept
PatientCommunication.preferred            0..1 boolean

PatientLink.other                         1..1 Reference(Patient|RelatedPerson)
PatientLink.type                          1..1 code ! link-type

EncounterStatusHistory.status             1..1 code ! encounter-status
EncounterStatusHistory.period             1..1 Period

EncounterClassHistory.class               1..1 Coding
EncounterClassHistory.period              1..1 Period

EncounterParticipant.type                 0..* CodeableConcept
EncounterParticipant.period               0..1 Period
EncounterParticipant.individual           0..1 Reference(Practitioner|RelatedPerson|PractitionerRole)

EncounterDiagnosis.condition              1..1 Reference(Condition|Procedure)
EncounterDiagnosis.use                    0..1 CodeableConcept
EncounterDiagnosis.rank                   0..1 positiveInt

EncounterHospitalization.origin           0..1 Reference(Organization|Location)
EncounterHospitalization.admitSource      0..1 CodeableConcept
EncounterHospitalization.reAdmission      0..1 CodeableConcept
EncounterHospitalization.dietPreference   0..* CodeableConcept
EncounterHospitalization.specialArrangement 0..* CodeableConcept
EncounterHospitalization.destination      0..1 Reference(Organization|Location)
EncounterHospitalization.dischargeDisposition 0..1 CodeableConcept

EncounterLocation.location                1..1 Reference(Location)
EncounterLocation.status                  0..1 code ! encounter-location-status
EncounterLocation.physicalType            0..1 CodeableConcept
EncounterLocation.period                  0..1 Period

Encounter.id                              1..1 id
Encounter.identifier                      0..* Identifier @
Encounter.status                          1..1 code ! encounter-status
Encounter.statusHistory                   0..* EncounterStatusHistory
Encounter.class                           1..1 Coding
Encounter.type                            0..* CodeableConcept
Encounter.serviceType                     0..1 CodeableConcept
Encounter.priority                        0..1 CodeableConcept
Encounter.subject                         0..1 Reference(Patient)
Encounter.basedOn                         0..* Reference(ServiceRequest)
Encounter.participant                     0..* EncounterParticipant
Encounter.appointment                     0..* Reference(Appointment)
Encounter.period                          0..1 Period
Encounter.length                          0..1 Duration
Encounter.reasonCode                      0..* CodeableConcept
Encounter.reasonReference                 0..* Reference(Condition|Observation|Procedure)
Encounter.diagnosis                       0..* EncounterDiagnosis
Encounter.hospitalization                 0..1 EncounterHospitalization
Encounter.location                        0..* EncounterLocation
Encounter.serviceProvider                 0..1 Reference(Organization)
Encounter.partOf                          0..1 Reference(Encounter)

ConditionStage.summary                    0..1 CodeableConcept
ConditionStage.assessment                 0..* Reference(Observation|DiagnosticReport)
ConditionStage.type                       0..1 CodeableConcept

ConditionEvidence.code                    0..* CodeableConcept
ConditionEvidence.detail                  0..* Reference(Any)

Condition.id                              1..1 id
Condition.identifier                      0..* Identifier @
Condition.clinicalStatus                  0..1 CodeableConcept ! condition-clinical
Condition.verificationStatus              0..1 CodeableConcept ! condition-ver-status
Condition.category                        0..* CodeableConcept
Condition.severity                        0..1 CodeableConcept
Condition.code                            0..1 CodeableConcept
Condition.bodySite                        0..* CodeableConcept
Condition.subject                         1..1 Reference(Patient)
Condition.encounter                       0..1 Reference(Encounter)
Condition.onset[x]                        0..1 dateTime|Age|Period|Range|string ~
Condition.abatement[x]                    0..1 dateTime|Age|Period|Range|string ~
Condition.recordedDate                    0..1 dateTime
Condition.recorder                        0..1 Reference(Patient|Practitioner|RelatedPerson|PractitionerRole)
Condition.asserter                        0..1 Reference(Patient|Practitioner|RelatedPerson|PractitionerRole)
Condition.stage                           0..* ConditionStage
Condition.evidence                        0..* ConditionEvidence
Condition.note                            0..* Annotation

ObservationReferenceRange.low             0..1 Quantity
ObservationReferenceRange.high            0..1 Quantity
ObservationReferenceRange.type            0..1 CodeableConcept
ObservationReferenceRange.text            0..1 string

ObservationComponent.code                 1..1 CodeableConcept
ObservationComponent.value[x]             0..1 Quantity|CodeableConcept|string|boolean|integer|Ratio|dateTime ~
ObservationComponent.dataAbsentReason     0..1 CodeableConcept
ObservationComponent.interpretation       0..* CodeableConcept

Observation.id                            1..1 id
Observation.identifier                    0..* Identifier @
Observation.basedOn                       0..* Reference(MedicationRequest|ServiceRequest)
Observation.partOf                        0..* Reference(MedicationStatement|MedicationAdministration|Procedure|Immunization|ImagingStudy)
Observation.status                        1..1 code ! observation-status
Observation.category                      0..* CodeableConcept
Observation.code                          1..1 CodeableConcept
Observation.subject                       0..1 Reference(Patient|Device|Location)
Observation.encounter                     0..1 Reference(Encounter)
Observation.effective[x]                  0..1 dateTime|Period|instant
Observation.issued                        0..1 instant
Observation.performer                     0..* Reference(Patient|Organization|Practitioner|RelatedPerson|PractitionerRole)
Observation.value[x]                      0..1 Quantity|CodeableConcept|string|boolean|integer|Range|Ratio|time|dateTime|Period ~
Observation.dataAbsentReason              0..1 CodeableConcept
Observation.interpretation                0..* CodeableConcept
Observation.note                          0..* Annotation
Observation.bodySite                      0..1 CodeableConcept
Observation.method                        0..1 CodeableConcept
Observation.specimen                      0..1 Reference(Specimen)
Observation.device                        0..1 Reference(Device)
Observation.referenceRange                0..* ObservationReferenceRange
Observation.hasMember                     0..* Reference(Observation|QuestionnaireResponse)
Observation.derivedFrom                   0..* Reference(Observation|DocumentReference|ImagingStudy|QuestionnaireResponse)
Observation.component                     0..* ObservationComponent

MedicationRequestDispenseRequest.validityPeriod 0..1 Period
MedicationRequestDispenseRequest.numberOfRepeatsAllowed 0..1 unsignedInt
MedicationRequestDispenseRequest.quantity 0..1 Quantity
MedicationRequestDispenseRequest.expectedSupplyDuration 0..1 Duration
MedicationRequestDispenseRequest.performer 0..1 Reference(Organization)

MedicationRequestSubstitution.allowed[x]  1..1 boolean|CodeableConcept
MedicationRequestSubstitution.reason      0..1 CodeableConcept

MedicationRequest.id                      1..1 id
MedicationRequest.identifier              0..* Identifier @
MedicationRequest.status                  1..1 code ! medicationrequest-status
MedicationRequest.statusReason            0..1 CodeableConcept
MedicationRequest.intent                  1..1 code ! medicationrequest-intent
MedicationRequest.category                0..* CodeableConcept
MedicationRequest.priority                0..1 code ! request-priority
MedicationRequest.doNotPerform            0..1 boolean
MedicationRequest.medication[x]           1..1 CodeableConcept|Reference(Medication)
MedicationRequest.subject                 1..1 Reference(Patient)
MedicationRequest.encounter               0..1 Reference(Encounter)
MedicationRequest.authoredOn              0..1 dateTime
MedicationRequest.requester               0..1 Reference(Patient|Organization|Practitioner|RelatedPerson|PractitionerRole|Device)
MedicationRequest.performer               0..1 Reference(Patient|Organization|Practitioner|RelatedPerson|PractitionerRole|Device)
MedicationRequest.recorder                0..1 Reference(Practitioner|PractitionerRole)
MedicationRequest.reasonCode              0..* CodeableConcept
MedicationRequest.reasonReference         0..* Reference(Condition|Observation)
MedicationRequest.basedOn                 0..* Reference(MedicationRequest|ServiceRequest)
MedicationRequest.groupIdentifier         0..1 Identifier @
MedicationRequest.courseOfTherapyType     0..1 CodeableConcept
MedicationRequest.note                    0..* Annotation
MedicationRequest.dosageInstruction       0..* Dosage
MedicationRequest.dispenseRequest         0..1 MedicationRequestDispenseRequest
MedicationRequest.substitution            0..1 MedicationRequestSubstitution

DiagnosticReport.id                       1..1 id
DiagnosticReport.identifier               0..* Identifier @
DiagnosticReport.basedOn                  0..* Reference(MedicationRequest|ServiceRequest)
DiagnosticReport.status                   1..1 code ! diagnostic-report-status
DiagnosticReport.category                 0..* CodeableConcept
DiagnosticReport.code                     1..1 CodeableConcept
DiagnosticReport.subject                  0..1 Reference(Patient|Device|Location)
DiagnosticReport.encounter                0..1 Reference(Encounter)
DiagnosticReport.effective[x]             0..1 dateTime|Period
DiagnosticReport.issued                   0..1 instant
DiagnosticReport.performer                0..* Reference(Organization|Practitioner|PractitionerRole)
DiagnosticReport.resultsInterpreter       0..* Reference(Organization|Practitioner|PractitionerRole)
DiagnosticReport.specimen                 0..* Reference(Specimen)
DiagnosticReport.result                   0..* Reference(Observation)
DiagnosticReport.imagingStudy             0..* Reference(ImagingStudy)
DiagnosticReport.conclusion               0..1 string ~
DiagnosticReport.conclusionCode           0..* CodeableConcept
DiagnosticReport.presentedForm            0..* Attachment

SpecimenCollection.collector              0..1 Reference(Practitioner|PractitionerRole)
SpecimenCollection.collected[x]           0..1 dateTime|Period
SpecimenCollection.duration               0..1 Duration
SpecimenCollection.quantity               0..1 Quantity
SpecimenCollection.method                 0..1 CodeableConcept
SpecimenCollection.bodySite               0..1 CodeableConcept
SpecimenCollection.fastingStatus[x]       0..1 CodeableConcept|Duration

SpecimenContainer.identifier              0..* Identifier @
SpecimenContainer.description             0..1 string ~
SpecimenContainer.type                    0..1 CodeableConcept
SpecimenContainer.capacity                0..1 Quantity
SpecimenContainer.specimenQuantity        0..1 Quantity
SpecimenContainer.additive[x]             0..1 CodeableConcept

Specimen.id                               1..1 id
Specimen.identifier                       0..* Identifier @
Specimen.accessionIdentifier              0..1 Identifier @
Specimen.status                           0..1 code ! specimen-status
Specimen.type                             0..1 CodeableConcept
Specimen.subject                          0..1 Reference(Patient|Location|Device)
Specimen.receivedTime                     0..1 dateTime
Specimen.parent                           0..* Reference(Specimen)
Specimen.request                          0..* Reference(ServiceRequest)
Specimen.collection                       0..1 SpecimenCollection
Specimen.container                        0..* SpecimenContainer
Specimen.condition                        0..* CodeableConcept
Specimen.note                             0..* Annotation

MedicationStatement.id                    1..1 id
MedicationStatement.identifier            0..* Identifier @
MedicationStatement.basedOn               0..* Reference(MedicationRequest|ServiceRequest)
MedicationStatement.partOf                0..* Reference(Observation|MedicationStatement|MedicationAdministration|Procedure)
MedicationStatement.status                1..1 code ! medication-statement-status
MedicationStatement.statusReason          0..* CodeableConcept
MedicationStatement.category              0..1 CodeableConcept
MedicationStatement.medication[x]         1..1 CodeableConcept|Reference(Medication)
MedicationStatement.subject               1..1 Reference(Patient)
MedicationStatement.context               0..1 Reference(Encounter)
MedicationStatement.effective[x]          0..1 dateTime|Period
MedicationStatement.dateAsserted          0..1 dateTime
MedicationStatement.informationSource     0..1 Reference(Patient|Organization|Practitioner|RelatedPerson|PractitionerRole)
MedicationStatement.derivedFrom           0..* Reference(Any)
MedicationStatement.reasonCode            0..* CodeableConcept
MedicationStatement.reasonReference       0..* Reference(Condition|Observation|DiagnosticReport)
MedicationStatement.note                  0..* Annotation
MedicationStatement.dosage                0..* Dosage

MedicationAdministrationPerformer.function 0..1 CodeableConcept
MedicationAdministrationPerformer.actor   1..1 Reference(Patient|Practitioner|RelatedPerson|PractitionerRole|Device)

MedicationAdministrationDosage.text       0..1 string ~
MedicationAdministrationDosage.site       0..1 CodeableConcept
MedicationAdministrationDosage.route      0..1 CodeableConcept
MedicationAdministrationDosage.method     0..1 CodeableConcept
MedicationAdministrationDosage.dose       0..1 Quantity
MedicationAdministrationDosage.rate[x]    0..1 Quantity|Ratio

MedicationAdministration.id               1..1 id
MedicationAdministration.identifier       0..* Identifier @
MedicationAdministration.partOf           0..* Reference(MedicationAdministration|Procedure)
MedicationAdministration.status           1..1 code ! medication-admin-status
MedicationAdministration.statusReason     0..* CodeableConcept
MedicationAdministration.category         0..1 CodeableConcept
MedicationAdministration.medication[x]    1..1 CodeableConcept|Reference(Medication)
MedicationAdministration.subject          1..1 Reference(Patient)
MedicationAdministration.context          0..1 Reference(Encounter)
MedicationAdministration.effective[x]     1..1 dateTime|Period
MedicationAdministration.performer        0..* MedicationAdministrationPerformer
MedicationAdministration.reasonCode       0..* CodeableConcept
MedicationAdministration.reasonReference  0..* Reference(Condition|Observation|DiagnosticReport)
MedicationAdministration.request          0..1 Reference(MedicationRequest)
MedicationAdministration.device           0..* Reference(Device)
MedicationAdministration.note             0..* Annotation
MedicationAdministration.dosage           0..1 MedicationAdministrationDosage

ProcedurePerformer.function               0..1 CodeableConcept
ProcedurePerformer.actor                  1..1 Reference(Patient|Organization|Practitioner|RelatedPerson|PractitionerRole|Device)
ProcedurePerformer.onBehalfOf             0..1 Reference(Organization)

Procedure.id                              1..1 id
Procedure.identifier                      0..* Identifier @
Procedure.basedOn                         0..* Reference(ServiceRequest)
Procedure.partOf                          0..* Reference(Observation|MedicationAdministration|Procedure)
Procedure.status                          1..1 code ! event-status
Procedure.statusReason                    0..1 CodeableConcept
Procedure.category                        0..1 CodeableConcept
Procedure.code                            0..1 CodeableConcept
Procedure.subject                         1..1 Reference(Patient)
Procedure.encounter                       0..1 Reference(Encounter)
Procedure.performed[x]                    0..1 dateTime|Period|string ~
Procedure.recorder                        0..1 Reference(Patient|Practitioner|RelatedPerson|PractitionerRole)
Procedure.asserter                        0..1 Reference(Patient|Practitioner|RelatedPerson|PractitionerRole)
Procedure.performer                       0..* ProcedurePerformer
Procedure.location                        0..1 Reference(Location)
Procedure.reasonCode                      0..* CodeableConcept
Procedure.reasonReference                 0..* Reference(Condition|Observation|DiagnosticReport|Procedure|DocumentReference)
Procedure.bodySite                        0..* CodeableConcept
Procedure.outcome                         0..1 CodeableConcept
Procedure.report                          0..* Reference(DiagnosticReport|DocumentReference|Composition)
Procedure.complication                    0..* CodeableConcept
Procedure.followUp                        0..* CodeableConcept
Procedure.note                            0..* Annotation
Procedure.usedReference                   0..* Reference(Medication|Device)
Procedure.usedCode                        0..* CodeableConcept

AllergyIntoleranceReaction.substance      0..1 CodeableConcept
AllergyIntoleranceReaction.manifestation  1..* CodeableConcept
AllergyIntoleranceReaction.description    0..1 string ~
AllergyIntoleranceReaction.onset          0..1 dateTime
AllergyIntoleranceReaction.severity       0..1 code ! reaction-event-severity
AllergyIntoleranceReaction.exposureRoute  0..1 CodeableConcept
AllergyIntoleranceReaction.note           0..* Annotation

AllergyIntolerance.id                     1..1 id
AllergyIntolerance.identifier             0..* Identifier @
AllergyIntolerance.clinicalStatus         0..1 CodeableConcept ! allergyintolerance-clinical
AllergyIntolerance.verificationStatus     0..1 CodeableConcept ! allergyintolerance-verification
AllergyIntolerance.type                   0..1 code ! allergy-intolerance-type
AllergyIntolerance.category               0..* code ! allergy-intolerance-category
AllergyIntolerance.criticality            0..1 code ! allergy-intolerance-criticality
AllergyIntolerance.code                   0..1 CodeableConcept
AllergyIntolerance.patient                1..1 Reference(Patient)
AllergyIntolerance.encounter              0..1 Reference(Encounter)
AllergyIntolerance.onset[x]               0..1 dateTime|Age|Period|Range|string ~
AllergyIntolerance.recordedDate           0..1 dateTime
AllergyIntolerance.recorder               0..1 Reference(Patient|Practitioner|RelatedPerson|PractitionerRole)
AllergyIntolerance.asserter               0..1 Reference(Patient|Practitioner|RelatedPerson|PractitionerRole)
AllergyIntolerance.lastOccurrence         0..1 dateTime
AllergyIntolerance.note                   0..* Annotation
AllergyIntolerance.reaction               0..* AllergyIntoleranceReaction

ImmunizationPerformer.function            0..1 CodeableConcept
ImmunizationPerformer.actor               1..1 Reference(Organization|Practitioner|PractitionerRole)

ImmunizationReaction.date                 0..1 dateTime
ImmunizationReaction.detail               0..1 Reference(Observation)
ImmunizationReaction.reported             0..1 boolean

ImmunizationProtocolApplied.series        0..1 string
ImmunizationProtocolApplied.authority     0..1 Reference(Organization)
ImmunizationProtocolApplied.targetDisease 0..* CodeableConcept
ImmunizationProtocolApplied.doseNumber[x] 1..1 positiveInt|string
ImmunizationProtocolApplied.seriesDoses[x] 0..1 positiveInt|string

Immunization.id                           1..1 id
Immunization.identifier                   0..* Identifier @
Immunization.status                       1..1 code ! immunization-status
Immunization.statusReason                 0..1 CodeableConcept
Immunization.vaccineCode                  1..1 CodeableConcept
Immunization.patient                      1..1 Reference(Patient)
Immunization.encounter                    0..1 Reference(Encounter)
Immunization.occurrence[x]                1..1 dateTime|string ~
Immunization.recorded                     0..1 dateTime
Immunization.primarySource                0..1 boolean
Immunization.reportOrigin                 0..1 CodeableConcept
Immunization.location                     0..1 Reference(Location)
Immunization.manufacturer                 0..1 Reference(Organization)
Immunization.lotNumber                    0..1 string
Immunization.expirationDate               0..1 date
Immunization.site                         0..1 CodeableConcept
Immunization.route                        0..1 CodeableConcept
Immunization.doseQuantity                 0..1 Quantity
Immunization.performer                    0..* ImmunizationPerformer
Immunization.note                         0..* Annotation
Immunization.reasonCode                   0..* CodeableConcept
Immunization.isSubpotent                  0..1 boolean
Immunization.programEligibility           0..* CodeableConcept
Immunization.reaction                     0..* ImmunizationReaction
Immunization.protocolApplied              0..* ImmunizationProtocolApplied

ServiceRequest.id                         1..1 id
ServiceRequest.identifier                 0..* Identifier @
ServiceRequest.basedOn                    0..* Reference(MedicationRequest|ServiceRequest)
ServiceRequest.replaces                   0..* Reference(ServiceRequest)
ServiceRequest.requisition                0..1 Identifier @
ServiceRequest.status                     1..1 code ! request-status
ServiceRequest.intent                     1..1 code ! request-intent
ServiceRequest.category                   0..* CodeableConcept
ServiceRequest.priority                   0..1 code ! request-priority
ServiceRequest.doNotPerform               0..1 boolean
ServiceRequest.code                       0..1 CodeableConcept
ServiceRequest.orderDetail                0..* CodeableConcept
ServiceRequest.quantity[x]                0..1 Quantity|Ratio|Range
ServiceRequest.subject                    1..1 Reference(Patient|Location|Device)
ServiceRequest.encounter                  0..1 Reference(Encounter)
ServiceRequest.occurrence[x]              0..1 dateTime|Period|Timing
ServiceRequest.asNeeded[x]                0..1 boolean|CodeableConcept
ServiceRequest.authoredOn                 0..1 dateTime
ServiceRequest.requester                  0..1 Reference(Patient|Organization|Practitioner|RelatedPerson|PractitionerRole|Device)
ServiceRequest.performerType              0..1 CodeableConcept
ServiceRequest.performer                  0..* Reference(Patient|Organization|Practitioner|RelatedPerson|PractitionerRole|Device)
ServiceRequest.locationCode               0..* CodeableConcept
ServiceRequest.locationReference          0..* Reference(Location)
ServiceRequest.reasonCode                 0..* CodeableConcept
ServiceRequest.reasonReference            0..* Reference(Condition|Observation|DiagnosticReport|DocumentReference)
ServiceRequest.specimen                   0..* Reference(Specimen)
ServiceRequest.bodySite                   0..* CodeableConcept
ServiceRequest.note                       0..* Annotation
ServiceRequest.patientInstruction         0..1 string ~

DocumentReferenceRelatesTo.code           1..1 code ! document-relationship-type
DocumentReferenceRelatesTo.target         1..1 Reference(DocumentReference)

DocumentReferenceContent.attachment       1..1 Attachment
DocumentReferenceContent.format           0..1 Coding

DocumentReferenceContext.encounter        0..* Reference(Encounter)
DocumentReferenceContext.event            0..* CodeableConcept
DocumentReferenceContext.period           0..1 Period
DocumentReferenceContext.facilityType     0..1 CodeableConcept
DocumentReferenceContext.practiceSetting  0..1 CodeableConcept
DocumentReferenceContext.related          0..* Reference(Any)

DocumentReference.id                      1..1 id
DocumentReference.masterIdentifier        0..1 Identifier @
DocumentReference.identifier              0..* Identifier @
DocumentReference.status                  1..1 code ! document-reference-status
DocumentReference.docStatus               0..1 code ! composition-status
DocumentReference.type                    0..1 CodeableConcept
DocumentReference.category                0..* CodeableConcept
DocumentReference.subject                 0..1 Reference(Patient|Practitioner|Device)
DocumentReference.date                    0..1 instant
DocumentReference.author                  0..* Reference(Patient|Organization|Practitioner|RelatedPerson|PractitionerRole|Device)
DocumentReference.authenticator           0..1 Reference(Organization|Practitioner|PractitionerRole)
DocumentReference.custodian               0..1 Reference(Organization)
DocumentReference.relatesTo               0..* DocumentReferenceRelatesTo
DocumentReference.description             0..1 string ~
DocumentReference.securityLabel           0..* CodeableConcept
DocumentReference.content                 1..* DocumentReferenceContent
DocumentReference.context                 0..1 DocumentReferenceContext

CompositionAttester.mode                  1..1 code ! composition-attestation-mode
CompositionAttester.time                  0..1 dateTime
CompositionAttester.party                 0..1 Reference(Patient|Organization|Practitioner|RelatedPerson|PractitionerRole)

CompositionEvent.code                     0..* CodeableConcept
CompositionEvent.period                   0..1 Period
CompositionEvent.detail                   0..* Reference(Any)

CompositionSection.title                  0..1 string
CompositionSection.code                   0..1 CodeableConcept
CompositionSection.author                 0..* Reference(Patient|Organization|Practitioner|RelatedPerson|PractitionerRole|Device)
CompositionSection.text                   0..1 Narrative
CompositionSection.mode                   0..1 code ! list-mode
CompositionSection.orderedBy              0..1 CodeableConcept
CompositionSection.entry                  0..* Reference(Any)
CompositionSection.emptyReason            0..1 CodeableConcept

Composition.id                            1..1 id
Composition.identifier                    0..1 Identifier @
Composition.status                        1..1 code ! composition-status
Composition.type                          1..1 CodeableConcept
Composition.category                      0..* CodeableConcept
Composition.subject                       0..1 Reference(Any)
Composition.encounter                     0..1 Reference(Encounter)
Composition.date                          1..1 dateTime
Composition.author                        1..* Reference(Patient|Organization|Practitioner|RelatedPerson|PractitionerRole|Device)
Composition.title                         1..1 string ~
Composition.confidentiality               0..1 code ! confidentiality
Composition.attester                      0..* CompositionAttester
Composition.custodian                     0..1 Reference(Organization)
Composition.event                         0..* CompositionEvent
Composition.section                       0..* CompositionSection

ImagingStudySeriesInstance.uid            1..1 id
ImagingStudySeriesInstance.sopClass       1..1 Coding
ImagingStudySeriesInstance.number         0..1 unsignedInt
ImagingStudySeriesInstance.title          0..1 string ~

ImagingStudySeries.uid                    1..1 id
ImagingStudySeries.number                 0..1 unsignedInt
ImagingStudySeries.modality               1..1 Coding
ImagingStudySeries.description            0..1 string ~
ImagingStudySeries.numberOfInstances      0..1 unsignedInt
ImagingStudySeries.bodySite               0..1 Coding
ImagingStudySeries.laterality             0..1 Coding
ImagingStudySeries.specimen               0..* Reference(Specimen)
ImagingStudySeries.started                0..1 dateTime
ImagingStudySeries.instance               0..* ImagingStudySeriesInstance

ImagingStudy.id                           1..1 id
ImagingStudy.identifier                   0..* Identifier @
ImagingStudy.status                       1..1 code ! imagingstudy-status
ImagingStudy.modality                     0..* Coding
ImagingStudy.subject                      1..1 Reference(Patient|Device)
ImagingStudy.encounter                    0..1 Reference(Encounter)
ImagingStudy.started                      0..1 dateTime
ImagingStudy.basedOn                      0..* Reference(ServiceRequest|Appointment)
ImagingStudy.referrer                     0..1 Reference(Practitioner|PractitionerRole)
ImagingStudy.interpreter                  0..* Reference(Practitioner|PractitionerRole)
ImagingStudy.numberOfSeries               0..1 unsignedInt
ImagingStudy.numberOfInstances            0..1 unsignedInt
ImagingStudy.procedureReference           0..1 Reference(Procedure)
ImagingStudy.procedureCode                0..* CodeableConcept
ImagingStudy.location                     0..1 Reference(Location)
ImagingStudy.reasonCode                   0..* CodeableConcept
ImagingStudy.reasonReference              0..* Reference(Condition|Observation|DiagnosticReport|DocumentReference)
ImagingStudy.note                         0..* Annotation
ImagingStudy.description                  0..1 string ~
ImagingStudy.series                       0..* ImagingStudySeries @

CoverageClass.type                        1..1 CodeableConcept
CoverageClass.value                       1..1 string @
CoverageClass.name                        0..1 string

Coverage.id                               1..1 id
Coverage.identifier                       0..* Identifier @
Coverage.status                           1..1 code ! fm-status
Coverage.type                             0..1 CodeableConcept
Coverage.policyHolder                     0..1 Reference(Patient|Organization|RelatedPerson)
Coverage.subscriber                       0..1 Reference(Patient|RelatedPerson)
Coverage.subscriberId                     0..1 string @
Coverage.beneficiary                      1..1 Reference(Patient)
Coverage.dependent                        0..1 string @
Coverage.relationship                     0..1 CodeableConcept
Coverage.period                           0..1 Period
Coverage.payor                            1..* Reference(Patient|Organization|RelatedPerson)
Coverage.class                            0..* CoverageClass
Coverage.order                            0..1 positiveInt
Coverage.network                          0..1 string

OrganizationContact.purpose               0..1 CodeableConcept
OrganizationContact.name                  0..1 HumanName
OrganizationContact.telecom               0..* ContactPoint
OrganizationContact.address               0..1 Address

Organization.id                           1..1 id
Organization.identifier                   0..* Identifier @
Organization.active                       0..1 boolean
Organization.type                         0..* CodeableConcept
Organization.name                         0..1 string
Organization.alias                        0..* string
Organization.telecom                      0..* ContactPoint @
Organization.address                      0..* Address @
Organization.partOf                       0..1 Reference(Organization)
Organization.contact                      0..* OrganizationContact @

PractitionerQualification.identifier      0..* Identifier @
PractitionerQualification.code            1..1 CodeableConcept
PractitionerQualification.period          0..1 Period
PractitionerQualification.issuer          0..1 Reference(Organization)

Practitioner.id                           1..1 id
Practitioner.identifier                   0..* Identifier @
Practitioner.active                       0..1 boolean
Practitioner.name                         0..* HumanName @
Practitioner.telecom                      0..* ContactPoint @
Practitioner.address                      0..* Address @
Practitioner.gender                       0..1 code ! administrative-gender
Practitioner.birthDate                    0..1 date @
Practitioner.qualification                0..* PractitionerQualification
Practitioner.communication                0..* CodeableConcept

LocationPosition.longitude                1..1 decimal
LocationPosition.latitude                 1..1 decimal
LocationPosition.altitude                 0..1 decimal

Location.id                               1..1 id
Location.identifier                       0..* Identifier @
Location.status                           0..1 code ! location-status
Location.operationalStatus                0..1 Coding
Location.name                             0..1 string
Location.alias                            0..* string
Location.description                      0..1 string ~
Location.mode                             0..1 code ! location-mode
Location.type                             0..* CodeableConcept
Location.telecom                          0..* ContactPoint @
Location.address                          0..1 Address @
Location.physicalType                     0..1 CodeableConcept
Location.position                         0..1 LocationPosition @
Location.managingOrganization             0..1 Reference(Organization)
Location.partOf                           0..1 Reference(Location)

AppointmentParticipant.type               0..* CodeableConcept
AppointmentParticipant.actor              0..1 Reference(Patient|Practitioner|Location|RelatedPerson|PractitionerRole|Device)
AppointmentParticipant.required           0..1 code ! participantrequired
AppointmentParticipant.status             1..1 code ! participationstatus
AppointmentParticipant.period             0..1 Period

Appointment.id                            1..1 id
Appointment.identifier                    0..* Identifier @
Appointment.status                        1..1 code ! appointmentstatus
Appointment.cancelationReason             0..1 CodeableConcept
Appointment.serviceCategory               0..* CodeableConcept
Appointment.serviceType                   0..* CodeableConcept
Appointment.specialty                     0..* CodeableConcept
Appointment.appointmentType               0..1 CodeableConcept
Appointment.reasonCode                    0..* CodeableConcept
Appointment.reasonReference               0..* Reference(Condition|Observation|Procedure)
Appointment.priority                      0..1 unsignedInt
Appointment.description                   0..1 string ~
Appointment.start                         0..1 instant
Appointment.end                           0..1 instant
Appointment.minutesDuration               0..1 positiveInt
Appointment.created                       0..1 dateTime
Appointment.comment                       0..1 string ~
Appointment.patientInstruction            0..1 string ~
Appointment.basedOn                       0..* Reference(ServiceRequest)
Appointment.participant                   1..* AppointmentParticipant
Appointment.requestedPeriod               0..* Period

QuestionnaireResponseItemAnswer.value[x]  0..1 boolean|decimal|integer|date|dateTime|time|string|uri|Coding|Quantity|Reference(Any) ~

QuestionnaireResponseItem.linkId          1..1 string
QuestionnaireResponseItem.definition      0..1 uri
QuestionnaireResponseItem.text            0..1 string
QuestionnaireResponseItem.answer          0..* QuestionnaireResponseItemAnswer

QuestionnaireResponse.id                  1..1 id
QuestionnaireResponse.identifier          0..1 Identifier @
QuestionnaireResponse.basedOn             0..* Reference(ServiceRequest)
QuestionnaireResponse.partOf              0..* Reference(Observation|Procedure)
QuestionnaireResponse.questionnaire       0..1 canonical
QuestionnaireResponse.status              1..1 code ! questionnaire-answers-status
QuestionnaireResponse.subject             0..1 Reference(Any)
QuestionnaireResponse.encounter           0..1 Reference(Encounter)
QuestionnaireResponse.authored            0..1 dateTime
QuestionnaireResponse.author              0..1 Reference(Patient|Organization|Practitioner|RelatedPerson|PractitionerRole|Device)
QuestionnaireResponse.source              0..1 Reference(Patient|Practitioner|RelatedPerson|PractitionerRole)
QuestionnaireResponse.item                0..* QuestionnaireResponseItem

RelatedPersonCommunication.language       1..1 CodeableConcept
RelatedPersonCommunication.preferred      0..1 boolean

RelatedPerson.id                          1..1 id
RelatedPerson.identifier                  0..* Identifier @
RelatedPerson.active                      0..1 boolean
RelatedPerson.patient                     1..1 Reference(Patient)
RelatedPerson.relationship                0..* CodeableConcept
RelatedPerson.name                        0..* HumanName @
RelatedPerson.telecom                     0..* ContactPoint @
RelatedPerson.gender                      0..1 code ! administrative-gender
RelatedPerson.birthDate                   0..1 date @
RelatedPerson.address                     0..* Address @
RelatedPerson.period                      0..1 Period
RelatedPerson.communication               0..* RelatedPersonCommunication

MedicationIngredient.item[x]              1..1 CodeableConcept|Reference(Medication)
MedicationIngredient.isActive             0..1 boolean
MedicationIngredient.strength             0..1 Ratio

MedicationBatch.lotNumber                 0..1 string
MedicationBatch.expirationDate            0..1 dateTime

Medication.id                             1..1 id
Medication.identifier                     0..* Identifier @
Medication.code                           0..1 CodeableConcept
Medication.status                         0..1 code ! medication-status
Medication.manufacturer                   0..1 Reference(Organization)
Medication.form                           0..1 CodeableConcept
Medication.amount                         0..1 Ratio
Medication.ingredient                     0..* MedicationIngredient
Medication.batch                          0..1 MedicationBatch

PractitionerRole.id                       1..1 id
PractitionerRole.identifier               0..* Identifier @
PractitionerRole.active                   0..1 boolean
PractitionerRole.period                   0..1 Period
PractitionerRole.practitioner             0..1 Reference(Practitioner)
PractitionerRole.organization             0..1 Reference(Organization)
PractitionerRole.code                     0..* CodeableConcept
PractitionerRole.specialty                0..* CodeableConcept
PractitionerRole.location                 0..* Reference(Location)
PractitionerRole.telecom                  0..* ContactPoint @

DeviceDeviceName.name                     1..1 string
DeviceDeviceName.type                     1..1 code ! device-nametype

DeviceUdiCarrier.deviceIdentifier         0..1 string
DeviceUdiCarrier.issuer                   0..1 uri
DeviceUdiCarrier.carrierHRF               0..1 string

DeviceVersion.type                        0..1 CodeableConcept
DeviceVersion.value                       1..1 string

Device.id                                 1..1 id
Device.identifier                         0..* Identifier @
Device.udiCarrier                         0..* DeviceUdiCarrier @
Device.status                             0..1 code ! device-status
Device.statusReason                       0..* CodeableConcept
Device.distinctIdentifier                 0..1 string @
Device.manufacturer                       0..1 string
Device.manufactureDate                    0..1 dateTime
Device.expirationDate                     0..1 dateTime
Device.lotNumber                          0..1 string
Device.serialNumber                       0..1 string @
Device.deviceName                         0..* DeviceDeviceName
Device.modelNumber                        0..1 string
Device.partNumber                         0..1 string
Device.type                               0..1 CodeableConcept
Device.version                            0..* DeviceVersion
Device.patient                            0..1 Reference(Patient)
Device.owner                              0..1 Reference(Organization)
Device.location                           0..1 Reference(Location)
Device.safety                             0..* CodeableConcept

FamilyMemberHistoryCondition.code         1..1 CodeableConcept
FamilyMemberHistoryCondition.outcome      0..1 CodeableConcept
FamilyMemberHistoryCondition.contributedToDeath 0..1 boolean
FamilyMemberHistoryCondition.onset[x]     0..1 Age|Range|Period|string ~
FamilyMemberHistoryCondition.note         0..* Annotation

FamilyMemberHistory.id                    1..1 id
FamilyMemberHistory.identifier            0..* Identifier @
FamilyMemberHistory.status                1..1 code ! history-status
FamilyMemberHistory.dataAbsentReason      0..1 CodeableConcept
FamilyMemberHistory.patient               1..1 Reference(Patient)
FamilyMemberHistory.date                  0..1 dateTime
FamilyMemberHistory.name                  0..1 string @
FamilyMemberHistory.relationship          1..1 CodeableConcept
FamilyMemberHistory.sex                   0..1 CodeableConcept
FamilyMemberHistory.born[x]               0..1 Period|date|string ~
FamilyMemberHistory.age[x]                0..1 Age|Range|string ~
FamilyMemberHistory.estimatedAge          0..1 boolean
FamilyMemberHistory.deceased[x]           0..1 boolean|Age|Range|date|string ~
FamilyMemberHistory.reasonCode            0..* CodeableConcept
FamilyMemberHistory.reasonReference       0..* Reference(Condition|Observation|DiagnosticReport|AllergyIntolerance|DocumentReference|QuestionnaireResponse)
FamilyMemberHistory.note                  0..* Annotation
FamilyMemberHistory.condition             0..* FamilyMemberHistoryCondition
"""
