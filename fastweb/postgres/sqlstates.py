"""A class for each SQLSTATE, below `PostgresError`; the code that ends in 000 is its class's parent.

Made by tests/postgres/sqlstate_classes.py of PostgreSQL's errcodes.txt: not to be edited.

Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

from fastweb.postgres.base_errors import PostgresError, PostgresLogMessage

__all__ = [
    "ActiveSQLTransactionError",
    "AdminShutdownError",
    "AmbiguousAliasError",
    "AmbiguousColumnError",
    "AmbiguousFunctionError",
    "AmbiguousParameterError",
    "ArraySubscriptError",
    "AssertError",
    "BadCopyFileFormatError",
    "BranchTransactionAlreadyActiveError",
    "CannotCoerceError",
    "CannotConnectNowError",
    "CantChangeRuntimeParamError",
    "CardinalityViolationError",
    "CaseNotFoundError",
    "CharacterNotInRepertoireError",
    "CheckViolationError",
    "ClientCannotConnectError",
    "CollationMismatchError",
    "ConfigFileError",
    "ConfigurationLimitExceededError",
    "ConnectionDoesNotExistError",
    "ConnectionFailureError",
    "ConnectionRejectionError",
    "ContainingSQLNotPermittedError",
    "CrashShutdownError",
    "DataCorruptedError",
    "DataError",
    "DatabaseDroppedError",
    "DatatypeMismatchError",
    "DatetimeFieldOverflowError",
    "DeadlockDetectedError",
    "DependentObjectsStillExistError",
    "DependentPrivilegeDescriptorsStillExistError",
    "DeprecatedFeature",
    "DiagnosticsError",
    "DiskFullError",
    "DivisionByZeroError",
    "DuplicateAliasError",
    "DuplicateColumnError",
    "DuplicateCursorError",
    "DuplicateDatabaseError",
    "DuplicateFileError",
    "DuplicateFunctionError",
    "DuplicateJsonObjectKeyValueError",
    "DuplicateObjectError",
    "DuplicatePreparedStatementError",
    "DuplicateSchemaError",
    "DuplicateTableError",
    "DynamicResultSetsReturned",
    "ErrorInAssignmentError",
    "EscapeCharacterConflictError",
    "EventTriggerProtocolViolatedError",
    "ExclusionViolationError",
    "ExternalRoutineError",
    "ExternalRoutineInvocationError",
    "FDWColumnNameNotFoundError",
    "FDWDynamicParameterValueNeededError",
    "FDWError",
    "FDWFunctionSequenceError",
    "FDWInconsistentDescriptorInformationError",
    "FDWInvalidAttributeValueError",
    "FDWInvalidColumnNameError",
    "FDWInvalidColumnNumberError",
    "FDWInvalidDataTypeDescriptorsError",
    "FDWInvalidDataTypeError",
    "FDWInvalidDescriptorFieldIdentifierError",
    "FDWInvalidHandleError",
    "FDWInvalidOptionIndexError",
    "FDWInvalidOptionNameError",
    "FDWInvalidStringFormatError",
    "FDWInvalidStringLengthOrBufferLengthError",
    "FDWInvalidUseOfNullPointerError",
    "FDWNoSchemasError",
    "FDWOptionNameNotFoundError",
    "FDWOutOfMemoryError",
    "FDWReplyHandleError",
    "FDWSchemaNotFoundError",
    "FDWTableNotFoundError",
    "FDWTooManyHandlesError",
    "FDWUnableToCreateExecutionError",
    "FDWUnableToCreateReplyError",
    "FDWUnableToEstablishConnectionError",
    "FeatureNotSupportedError",
    "FileNameTooLongError",
    "ForeignKeyViolationError",
    "FunctionExecutedNoReturnStatementError",
    "GeneratedAlwaysError",
    "GroupingError",
    "HeldCursorRequiresSameIsolationLevelError",
    "IdleInTransactionSessionTimeoutError",
    "IdleSessionTimeoutError",
    "ImplicitZeroBitPadding",
    "InFailedSQLTransactionError",
    "InappropriateAccessModeForBranchTransactionError",
    "InappropriateIsolationLevelForBranchTransactionError",
    "IndeterminateCollationError",
    "IndeterminateDatatypeError",
    "IndexCorruptedError",
    "IndicatorOverflowError",
    "InsufficientPrivilegeError",
    "InsufficientResourcesError",
    "IntegrityConstraintViolationError",
    "InternalServerError",
    "IntervalFieldOverflowError",
    "InvalidArgumentForLogarithmError",
    "InvalidArgumentForNthValueFunctionError",
    "InvalidArgumentForNtileFunctionError",
    "InvalidArgumentForPowerFunctionError",
    "InvalidArgumentForSQLJsonDatetimeFunctionError",
    "InvalidArgumentForWidthBucketFunctionError",
    "InvalidArgumentForXqueryError",
    "InvalidAuthorizationSpecificationError",
    "InvalidBinaryRepresentationError",
    "InvalidCatalogNameError",
    "InvalidCharacterValueForCastError",
    "InvalidColumnDefinitionError",
    "InvalidColumnReferenceError",
    "InvalidCursorDefinitionError",
    "InvalidCursorNameError",
    "InvalidCursorStateError",
    "InvalidDatabaseDefinitionError",
    "InvalidDatetimeFormatError",
    "InvalidEscapeCharacterError",
    "InvalidEscapeOctetError",
    "InvalidEscapeSequenceError",
    "InvalidForeignKeyError",
    "InvalidFunctionDefinitionError",
    "InvalidGrantOperationError",
    "InvalidGrantorError",
    "InvalidIndicatorParameterValueError",
    "InvalidJsonTextError",
    "InvalidLocatorSpecificationError",
    "InvalidNameError",
    "InvalidObjectDefinitionError",
    "InvalidParameterValueError",
    "InvalidPasswordError",
    "InvalidPrecedingOrFollowingSizeError",
    "InvalidPreparedStatementDefinitionError",
    "InvalidRecursionError",
    "InvalidRegularExpressionError",
    "InvalidRoleSpecificationError",
    "InvalidRowCountInLimitClauseError",
    "InvalidRowCountInResultOffsetClauseError",
    "InvalidSQLJsonSubscriptError",
    "InvalidSQLStatementNameError",
    "InvalidSavepointSpecificationError",
    "InvalidSchemaDefinitionError",
    "InvalidSchemaNameError",
    "InvalidSqlstateReturnedError",
    "InvalidTableDefinitionError",
    "InvalidTablesampleArgumentError",
    "InvalidTablesampleRepeatError",
    "InvalidTextRepresentationError",
    "InvalidTimeZoneDisplacementValueError",
    "InvalidTransactionInitiationError",
    "InvalidTransactionStateError",
    "InvalidTransactionTerminationError",
    "InvalidUseOfEscapeCharacterError",
    "InvalidXmlCommentError",
    "InvalidXmlContentError",
    "InvalidXmlDocumentError",
    "InvalidXmlProcessingInstructionError",
    "LocatorError",
    "LockFileExistsError",
    "LockNotAvailableError",
    "ModifyingExternalRoutineSQLDataNotPermittedError",
    "ModifyingSQLDataNotPermittedError",
    "MoreThanOneSQLJsonItemError",
    "MostSpecificTypeMismatchError",
    "NameTooLongError",
    "NoActiveSQLTransactionError",
    "NoActiveSQLTransactionForBranchTransactionError",
    "NoAdditionalDynamicResultSetsReturned",
    "NoData",
    "NoDataFoundError",
    "NoSQLJsonItemError",
    "NonNumericSQLJsonItemError",
    "NonUniqueKeysInAJsonObjectError",
    "NonstandardUseOfEscapeCharacterError",
    "NotAnXmlDocumentError",
    "NotNullViolationError",
    "NullValueEliminatedInSetFunction",
    "NullValueInExternalRoutineNotAllowedError",
    "NullValueNoIndicatorParameterError",
    "NullValueNotAllowedError",
    "NumericValueOutOfRangeError",
    "ObjectInUseError",
    "ObjectNotInPrerequisiteStateError",
    "OperatorInterventionError",
    "OutOfMemoryError",
    "PLPGSQLError",
    "PostgresConnectionError",
    "PostgresFloatingPointError",
    "PostgresIOError",
    "PostgresSyntaxError",
    "PostgresSystemError",
    "PostgresWarning",
    "PrivilegeNotGranted",
    "PrivilegeNotRevoked",
    "ProgramLimitExceededError",
    "ProhibitedExternalRoutineSQLStatementAttemptedError",
    "ProhibitedSQLStatementAttemptedError",
    "ProtocolViolationError",
    "QueryCanceledError",
    "RaiseError",
    "ReadOnlySQLTransactionError",
    "ReadingExternalRoutineSQLDataNotPermittedError",
    "ReadingSQLDataNotPermittedError",
    "ReservedNameError",
    "RestrictViolationError",
    "SQLJsonArrayNotFoundError",
    "SQLJsonItemCannotBeCastToTargetTypeError",
    "SQLJsonMemberNotFoundError",
    "SQLJsonNumberNotFoundError",
    "SQLJsonObjectNotFoundError",
    "SQLJsonScalarRequiredError",
    "SQLRoutineError",
    "SQLStatementNotYetCompleteError",
    "SavepointError",
    "SchemaAndDataStatementMixingNotSupportedError",
    "SequenceGeneratorLimitExceededError",
    "SerializationError",
    "SingletonSQLJsonItemRequiredError",
    "SnapshotTooOldError",
    "SrfProtocolViolatedError",
    "StackedDiagnosticsAccessedWithoutActiveHandlerError",
    "StatementCompletionUnknownError",
    "StatementTooComplexError",
    "StringDataLengthMismatchError",
    "StringDataRightTruncation",
    "StringDataRightTruncationError",
    "SubstringError",
    "SyntaxOrAccessError",
    "TooManyArgumentsError",
    "TooManyColumnsError",
    "TooManyConnectionsError",
    "TooManyJsonArrayElementsError",
    "TooManyJsonObjectMembersError",
    "TooManyRowsError",
    "TransactionIntegrityConstraintViolationError",
    "TransactionResolutionUnknownError",
    "TransactionRollbackError",
    "TransactionTimeoutError",
    "TriggerProtocolViolatedError",
    "TriggeredActionError",
    "TriggeredDataChangeViolationError",
    "TrimError",
    "UndefinedColumnError",
    "UndefinedFileError",
    "UndefinedFunctionError",
    "UndefinedObjectError",
    "UndefinedParameterError",
    "UndefinedTableError",
    "UniqueViolationError",
    "UnsafeNewEnumValueUsageError",
    "UnterminatedCStringError",
    "UntranslatableCharacterError",
    "WindowingError",
    "WithCheckOptionViolationError",
    "WrongObjectTypeError",
    "ZeroLengthCharacterStringError",
]


class PostgresWarning(PostgresLogMessage):
    """01000 warning."""

    sqlstate = "01000"


class NullValueEliminatedInSetFunction(PostgresWarning):
    """01003 null_value_eliminated_in_set_function."""

    sqlstate = "01003"


class StringDataRightTruncation(PostgresWarning):
    """01004 string_data_right_truncation."""

    sqlstate = "01004"


class PrivilegeNotRevoked(PostgresWarning):
    """01006 privilege_not_revoked."""

    sqlstate = "01006"


class PrivilegeNotGranted(PostgresWarning):
    """01007 privilege_not_granted."""

    sqlstate = "01007"


class ImplicitZeroBitPadding(PostgresWarning):
    """01008 implicit_zero_bit_padding."""

    sqlstate = "01008"


class DynamicResultSetsReturned(PostgresWarning):
    """0100C dynamic_result_sets_returned."""

    sqlstate = "0100C"


class DeprecatedFeature(PostgresWarning):
    """01P01 deprecated_feature."""

    sqlstate = "01P01"


class NoData(PostgresLogMessage):
    """02000 no_data."""

    sqlstate = "02000"


class NoAdditionalDynamicResultSetsReturned(NoData):
    """02001 no_additional_dynamic_result_sets_returned."""

    sqlstate = "02001"


class SQLStatementNotYetCompleteError(PostgresError):
    """03000 sql_statement_not_yet_complete."""

    sqlstate = "03000"


class PostgresConnectionError(PostgresError):
    """08000 connection_exception."""

    sqlstate = "08000"


class ClientCannotConnectError(PostgresConnectionError):
    """08001 sqlclient_unable_to_establish_sqlconnection."""

    sqlstate = "08001"


class ConnectionDoesNotExistError(PostgresConnectionError):
    """08003 connection_does_not_exist."""

    sqlstate = "08003"


class ConnectionRejectionError(PostgresConnectionError):
    """08004 sqlserver_rejected_establishment_of_sqlconnection."""

    sqlstate = "08004"


class ConnectionFailureError(PostgresConnectionError):
    """08006 connection_failure."""

    sqlstate = "08006"


class TransactionResolutionUnknownError(PostgresConnectionError):
    """08007 transaction_resolution_unknown."""

    sqlstate = "08007"


class ProtocolViolationError(PostgresConnectionError):
    """08P01 protocol_violation."""

    sqlstate = "08P01"


class TriggeredActionError(PostgresError):
    """09000 triggered_action_exception."""

    sqlstate = "09000"


class FeatureNotSupportedError(PostgresError):
    """0A000 feature_not_supported."""

    sqlstate = "0A000"


class InvalidTransactionInitiationError(PostgresError):
    """0B000 invalid_transaction_initiation."""

    sqlstate = "0B000"


class LocatorError(PostgresError):
    """0F000 locator_exception."""

    sqlstate = "0F000"


class InvalidLocatorSpecificationError(LocatorError):
    """0F001 invalid_locator_specification."""

    sqlstate = "0F001"


class InvalidGrantorError(PostgresError):
    """0L000 invalid_grantor."""

    sqlstate = "0L000"


class InvalidGrantOperationError(InvalidGrantorError):
    """0LP01 invalid_grant_operation."""

    sqlstate = "0LP01"


class InvalidRoleSpecificationError(PostgresError):
    """0P000 invalid_role_specification."""

    sqlstate = "0P000"


class DiagnosticsError(PostgresError):
    """0Z000 diagnostics_exception."""

    sqlstate = "0Z000"


class StackedDiagnosticsAccessedWithoutActiveHandlerError(DiagnosticsError):
    """0Z002 stacked_diagnostics_accessed_without_active_handler."""

    sqlstate = "0Z002"


class InvalidArgumentForXqueryError(PostgresError):
    """10608 invalid_argument_for_xquery."""

    sqlstate = "10608"


class CaseNotFoundError(PostgresError):
    """20000 case_not_found."""

    sqlstate = "20000"


class CardinalityViolationError(PostgresError):
    """21000 cardinality_violation."""

    sqlstate = "21000"


class DataError(PostgresError):
    """22000 data_exception."""

    sqlstate = "22000"


class StringDataRightTruncationError(DataError):
    """22001 string_data_right_truncation."""

    sqlstate = "22001"


class NullValueNoIndicatorParameterError(DataError):
    """22002 null_value_no_indicator_parameter."""

    sqlstate = "22002"


class NumericValueOutOfRangeError(DataError):
    """22003 numeric_value_out_of_range."""

    sqlstate = "22003"


class NullValueNotAllowedError(DataError):
    """22004 null_value_not_allowed."""

    sqlstate = "22004"


class ErrorInAssignmentError(DataError):
    """22005 error_in_assignment."""

    sqlstate = "22005"


class InvalidDatetimeFormatError(DataError):
    """22007 invalid_datetime_format."""

    sqlstate = "22007"


class DatetimeFieldOverflowError(DataError):
    """22008 datetime_field_overflow."""

    sqlstate = "22008"


class InvalidTimeZoneDisplacementValueError(DataError):
    """22009 invalid_time_zone_displacement_value."""

    sqlstate = "22009"


class EscapeCharacterConflictError(DataError):
    """2200B escape_character_conflict."""

    sqlstate = "2200B"


class InvalidUseOfEscapeCharacterError(DataError):
    """2200C invalid_use_of_escape_character."""

    sqlstate = "2200C"


class InvalidEscapeOctetError(DataError):
    """2200D invalid_escape_octet."""

    sqlstate = "2200D"


class ZeroLengthCharacterStringError(DataError):
    """2200F zero_length_character_string."""

    sqlstate = "2200F"


class MostSpecificTypeMismatchError(DataError):
    """2200G most_specific_type_mismatch."""

    sqlstate = "2200G"


class SequenceGeneratorLimitExceededError(DataError):
    """2200H sequence_generator_limit_exceeded."""

    sqlstate = "2200H"


class NotAnXmlDocumentError(DataError):
    """2200L not_an_xml_document."""

    sqlstate = "2200L"


class InvalidXmlDocumentError(DataError):
    """2200M invalid_xml_document."""

    sqlstate = "2200M"


class InvalidXmlContentError(DataError):
    """2200N invalid_xml_content."""

    sqlstate = "2200N"


class InvalidXmlCommentError(DataError):
    """2200S invalid_xml_comment."""

    sqlstate = "2200S"


class InvalidXmlProcessingInstructionError(DataError):
    """2200T invalid_xml_processing_instruction."""

    sqlstate = "2200T"


class InvalidIndicatorParameterValueError(DataError):
    """22010 invalid_indicator_parameter_value."""

    sqlstate = "22010"


class SubstringError(DataError):
    """22011 substring_error."""

    sqlstate = "22011"


class DivisionByZeroError(DataError):
    """22012 division_by_zero."""

    sqlstate = "22012"


class InvalidPrecedingOrFollowingSizeError(DataError):
    """22013 invalid_preceding_or_following_size."""

    sqlstate = "22013"


class InvalidArgumentForNtileFunctionError(DataError):
    """22014 invalid_argument_for_ntile_function."""

    sqlstate = "22014"


class IntervalFieldOverflowError(DataError):
    """22015 interval_field_overflow."""

    sqlstate = "22015"


class InvalidArgumentForNthValueFunctionError(DataError):
    """22016 invalid_argument_for_nth_value_function."""

    sqlstate = "22016"


class InvalidCharacterValueForCastError(DataError):
    """22018 invalid_character_value_for_cast."""

    sqlstate = "22018"


class InvalidEscapeCharacterError(DataError):
    """22019 invalid_escape_character."""

    sqlstate = "22019"


class InvalidRegularExpressionError(DataError):
    """2201B invalid_regular_expression."""

    sqlstate = "2201B"


class InvalidArgumentForLogarithmError(DataError):
    """2201E invalid_argument_for_logarithm."""

    sqlstate = "2201E"


class InvalidArgumentForPowerFunctionError(DataError):
    """2201F invalid_argument_for_power_function."""

    sqlstate = "2201F"


class InvalidArgumentForWidthBucketFunctionError(DataError):
    """2201G invalid_argument_for_width_bucket_function."""

    sqlstate = "2201G"


class InvalidRowCountInLimitClauseError(DataError):
    """2201W invalid_row_count_in_limit_clause."""

    sqlstate = "2201W"


class InvalidRowCountInResultOffsetClauseError(DataError):
    """2201X invalid_row_count_in_result_offset_clause."""

    sqlstate = "2201X"


class CharacterNotInRepertoireError(DataError):
    """22021 character_not_in_repertoire."""

    sqlstate = "22021"


class IndicatorOverflowError(DataError):
    """22022 indicator_overflow."""

    sqlstate = "22022"


class InvalidParameterValueError(DataError):
    """22023 invalid_parameter_value."""

    sqlstate = "22023"


class UnterminatedCStringError(DataError):
    """22024 unterminated_c_string."""

    sqlstate = "22024"


class InvalidEscapeSequenceError(DataError):
    """22025 invalid_escape_sequence."""

    sqlstate = "22025"


class StringDataLengthMismatchError(DataError):
    """22026 string_data_length_mismatch."""

    sqlstate = "22026"


class TrimError(DataError):
    """22027 trim_error."""

    sqlstate = "22027"


class ArraySubscriptError(DataError):
    """2202E array_subscript_error."""

    sqlstate = "2202E"


class InvalidTablesampleRepeatError(DataError):
    """2202G invalid_tablesample_repeat."""

    sqlstate = "2202G"


class InvalidTablesampleArgumentError(DataError):
    """2202H invalid_tablesample_argument."""

    sqlstate = "2202H"


class DuplicateJsonObjectKeyValueError(DataError):
    """22030 duplicate_json_object_key_value."""

    sqlstate = "22030"


class InvalidArgumentForSQLJsonDatetimeFunctionError(DataError):
    """22031 invalid_argument_for_sql_json_datetime_function."""

    sqlstate = "22031"


class InvalidJsonTextError(DataError):
    """22032 invalid_json_text."""

    sqlstate = "22032"


class InvalidSQLJsonSubscriptError(DataError):
    """22033 invalid_sql_json_subscript."""

    sqlstate = "22033"


class MoreThanOneSQLJsonItemError(DataError):
    """22034 more_than_one_sql_json_item."""

    sqlstate = "22034"


class NoSQLJsonItemError(DataError):
    """22035 no_sql_json_item."""

    sqlstate = "22035"


class NonNumericSQLJsonItemError(DataError):
    """22036 non_numeric_sql_json_item."""

    sqlstate = "22036"


class NonUniqueKeysInAJsonObjectError(DataError):
    """22037 non_unique_keys_in_a_json_object."""

    sqlstate = "22037"


class SingletonSQLJsonItemRequiredError(DataError):
    """22038 singleton_sql_json_item_required."""

    sqlstate = "22038"


class SQLJsonArrayNotFoundError(DataError):
    """22039 sql_json_array_not_found."""

    sqlstate = "22039"


class SQLJsonMemberNotFoundError(DataError):
    """2203A sql_json_member_not_found."""

    sqlstate = "2203A"


class SQLJsonNumberNotFoundError(DataError):
    """2203B sql_json_number_not_found."""

    sqlstate = "2203B"


class SQLJsonObjectNotFoundError(DataError):
    """2203C sql_json_object_not_found."""

    sqlstate = "2203C"


class TooManyJsonArrayElementsError(DataError):
    """2203D too_many_json_array_elements."""

    sqlstate = "2203D"


class TooManyJsonObjectMembersError(DataError):
    """2203E too_many_json_object_members."""

    sqlstate = "2203E"


class SQLJsonScalarRequiredError(DataError):
    """2203F sql_json_scalar_required."""

    sqlstate = "2203F"


class SQLJsonItemCannotBeCastToTargetTypeError(DataError):
    """2203G sql_json_item_cannot_be_cast_to_target_type."""

    sqlstate = "2203G"


class PostgresFloatingPointError(DataError):
    """22P01 floating_point_exception."""

    sqlstate = "22P01"


class InvalidTextRepresentationError(DataError):
    """22P02 invalid_text_representation."""

    sqlstate = "22P02"


class InvalidBinaryRepresentationError(DataError):
    """22P03 invalid_binary_representation."""

    sqlstate = "22P03"


class BadCopyFileFormatError(DataError):
    """22P04 bad_copy_file_format."""

    sqlstate = "22P04"


class UntranslatableCharacterError(DataError):
    """22P05 untranslatable_character."""

    sqlstate = "22P05"


class NonstandardUseOfEscapeCharacterError(DataError):
    """22P06 nonstandard_use_of_escape_character."""

    sqlstate = "22P06"


class IntegrityConstraintViolationError(PostgresError):
    """23000 integrity_constraint_violation."""

    sqlstate = "23000"


class RestrictViolationError(IntegrityConstraintViolationError):
    """23001 restrict_violation."""

    sqlstate = "23001"


class NotNullViolationError(IntegrityConstraintViolationError):
    """23502 not_null_violation."""

    sqlstate = "23502"


class ForeignKeyViolationError(IntegrityConstraintViolationError):
    """23503 foreign_key_violation."""

    sqlstate = "23503"


class UniqueViolationError(IntegrityConstraintViolationError):
    """23505 unique_violation."""

    sqlstate = "23505"


class CheckViolationError(IntegrityConstraintViolationError):
    """23514 check_violation."""

    sqlstate = "23514"


class ExclusionViolationError(IntegrityConstraintViolationError):
    """23P01 exclusion_violation."""

    sqlstate = "23P01"


class InvalidCursorStateError(PostgresError):
    """24000 invalid_cursor_state."""

    sqlstate = "24000"


class InvalidTransactionStateError(PostgresError):
    """25000 invalid_transaction_state."""

    sqlstate = "25000"


class ActiveSQLTransactionError(InvalidTransactionStateError):
    """25001 active_sql_transaction."""

    sqlstate = "25001"


class BranchTransactionAlreadyActiveError(InvalidTransactionStateError):
    """25002 branch_transaction_already_active."""

    sqlstate = "25002"


class InappropriateAccessModeForBranchTransactionError(InvalidTransactionStateError):
    """25003 inappropriate_access_mode_for_branch_transaction."""

    sqlstate = "25003"


class InappropriateIsolationLevelForBranchTransactionError(InvalidTransactionStateError):
    """25004 inappropriate_isolation_level_for_branch_transaction."""

    sqlstate = "25004"


class NoActiveSQLTransactionForBranchTransactionError(InvalidTransactionStateError):
    """25005 no_active_sql_transaction_for_branch_transaction."""

    sqlstate = "25005"


class ReadOnlySQLTransactionError(InvalidTransactionStateError):
    """25006 read_only_sql_transaction."""

    sqlstate = "25006"


class SchemaAndDataStatementMixingNotSupportedError(InvalidTransactionStateError):
    """25007 schema_and_data_statement_mixing_not_supported."""

    sqlstate = "25007"


class HeldCursorRequiresSameIsolationLevelError(InvalidTransactionStateError):
    """25008 held_cursor_requires_same_isolation_level."""

    sqlstate = "25008"


class NoActiveSQLTransactionError(InvalidTransactionStateError):
    """25P01 no_active_sql_transaction."""

    sqlstate = "25P01"


class InFailedSQLTransactionError(InvalidTransactionStateError):
    """25P02 in_failed_sql_transaction."""

    sqlstate = "25P02"


class IdleInTransactionSessionTimeoutError(InvalidTransactionStateError):
    """25P03 idle_in_transaction_session_timeout."""

    sqlstate = "25P03"


class TransactionTimeoutError(InvalidTransactionStateError):
    """25P04 transaction_timeout."""

    sqlstate = "25P04"


class InvalidSQLStatementNameError(PostgresError):
    """26000 invalid_sql_statement_name."""

    sqlstate = "26000"


class TriggeredDataChangeViolationError(PostgresError):
    """27000 triggered_data_change_violation."""

    sqlstate = "27000"


class InvalidAuthorizationSpecificationError(PostgresError):
    """28000 invalid_authorization_specification."""

    sqlstate = "28000"


class InvalidPasswordError(InvalidAuthorizationSpecificationError):
    """28P01 invalid_password."""

    sqlstate = "28P01"


class DependentPrivilegeDescriptorsStillExistError(PostgresError):
    """2B000 dependent_privilege_descriptors_still_exist."""

    sqlstate = "2B000"


class DependentObjectsStillExistError(DependentPrivilegeDescriptorsStillExistError):
    """2BP01 dependent_objects_still_exist."""

    sqlstate = "2BP01"


class InvalidTransactionTerminationError(PostgresError):
    """2D000 invalid_transaction_termination."""

    sqlstate = "2D000"


class SQLRoutineError(PostgresError):
    """2F000 sql_routine_exception."""

    sqlstate = "2F000"


class ModifyingSQLDataNotPermittedError(SQLRoutineError):
    """2F002 modifying_sql_data_not_permitted."""

    sqlstate = "2F002"


class ProhibitedSQLStatementAttemptedError(SQLRoutineError):
    """2F003 prohibited_sql_statement_attempted."""

    sqlstate = "2F003"


class ReadingSQLDataNotPermittedError(SQLRoutineError):
    """2F004 reading_sql_data_not_permitted."""

    sqlstate = "2F004"


class FunctionExecutedNoReturnStatementError(SQLRoutineError):
    """2F005 function_executed_no_return_statement."""

    sqlstate = "2F005"


class InvalidCursorNameError(PostgresError):
    """34000 invalid_cursor_name."""

    sqlstate = "34000"


class ExternalRoutineError(PostgresError):
    """38000 external_routine_exception."""

    sqlstate = "38000"


class ContainingSQLNotPermittedError(ExternalRoutineError):
    """38001 containing_sql_not_permitted."""

    sqlstate = "38001"


class ModifyingExternalRoutineSQLDataNotPermittedError(ExternalRoutineError):
    """38002 modifying_sql_data_not_permitted."""

    sqlstate = "38002"


class ProhibitedExternalRoutineSQLStatementAttemptedError(ExternalRoutineError):
    """38003 prohibited_sql_statement_attempted."""

    sqlstate = "38003"


class ReadingExternalRoutineSQLDataNotPermittedError(ExternalRoutineError):
    """38004 reading_sql_data_not_permitted."""

    sqlstate = "38004"


class ExternalRoutineInvocationError(PostgresError):
    """39000 external_routine_invocation_exception."""

    sqlstate = "39000"


class InvalidSqlstateReturnedError(ExternalRoutineInvocationError):
    """39001 invalid_sqlstate_returned."""

    sqlstate = "39001"


class NullValueInExternalRoutineNotAllowedError(ExternalRoutineInvocationError):
    """39004 null_value_not_allowed."""

    sqlstate = "39004"


class TriggerProtocolViolatedError(ExternalRoutineInvocationError):
    """39P01 trigger_protocol_violated."""

    sqlstate = "39P01"


class SrfProtocolViolatedError(ExternalRoutineInvocationError):
    """39P02 srf_protocol_violated."""

    sqlstate = "39P02"


class EventTriggerProtocolViolatedError(ExternalRoutineInvocationError):
    """39P03 event_trigger_protocol_violated."""

    sqlstate = "39P03"


class SavepointError(PostgresError):
    """3B000 savepoint_exception."""

    sqlstate = "3B000"


class InvalidSavepointSpecificationError(SavepointError):
    """3B001 invalid_savepoint_specification."""

    sqlstate = "3B001"


class InvalidCatalogNameError(PostgresError):
    """3D000 invalid_catalog_name."""

    sqlstate = "3D000"


class InvalidSchemaNameError(PostgresError):
    """3F000 invalid_schema_name."""

    sqlstate = "3F000"


class TransactionRollbackError(PostgresError):
    """40000 transaction_rollback."""

    sqlstate = "40000"


class SerializationError(TransactionRollbackError):
    """40001 serialization_failure."""

    sqlstate = "40001"


class TransactionIntegrityConstraintViolationError(TransactionRollbackError):
    """40002 transaction_integrity_constraint_violation."""

    sqlstate = "40002"


class StatementCompletionUnknownError(TransactionRollbackError):
    """40003 statement_completion_unknown."""

    sqlstate = "40003"


class DeadlockDetectedError(TransactionRollbackError):
    """40P01 deadlock_detected."""

    sqlstate = "40P01"


class SyntaxOrAccessError(PostgresError):
    """42000 syntax_error_or_access_rule_violation."""

    sqlstate = "42000"


class InsufficientPrivilegeError(SyntaxOrAccessError):
    """42501 insufficient_privilege."""

    sqlstate = "42501"


class PostgresSyntaxError(SyntaxOrAccessError):
    """42601 syntax_error."""

    sqlstate = "42601"


class InvalidNameError(SyntaxOrAccessError):
    """42602 invalid_name."""

    sqlstate = "42602"


class InvalidColumnDefinitionError(SyntaxOrAccessError):
    """42611 invalid_column_definition."""

    sqlstate = "42611"


class NameTooLongError(SyntaxOrAccessError):
    """42622 name_too_long."""

    sqlstate = "42622"


class DuplicateColumnError(SyntaxOrAccessError):
    """42701 duplicate_column."""

    sqlstate = "42701"


class AmbiguousColumnError(SyntaxOrAccessError):
    """42702 ambiguous_column."""

    sqlstate = "42702"


class UndefinedColumnError(SyntaxOrAccessError):
    """42703 undefined_column."""

    sqlstate = "42703"


class UndefinedObjectError(SyntaxOrAccessError):
    """42704 undefined_object."""

    sqlstate = "42704"


class DuplicateObjectError(SyntaxOrAccessError):
    """42710 duplicate_object."""

    sqlstate = "42710"


class DuplicateAliasError(SyntaxOrAccessError):
    """42712 duplicate_alias."""

    sqlstate = "42712"


class DuplicateFunctionError(SyntaxOrAccessError):
    """42723 duplicate_function."""

    sqlstate = "42723"


class AmbiguousFunctionError(SyntaxOrAccessError):
    """42725 ambiguous_function."""

    sqlstate = "42725"


class GroupingError(SyntaxOrAccessError):
    """42803 grouping_error."""

    sqlstate = "42803"


class DatatypeMismatchError(SyntaxOrAccessError):
    """42804 datatype_mismatch."""

    sqlstate = "42804"


class WrongObjectTypeError(SyntaxOrAccessError):
    """42809 wrong_object_type."""

    sqlstate = "42809"


class InvalidForeignKeyError(SyntaxOrAccessError):
    """42830 invalid_foreign_key."""

    sqlstate = "42830"


class CannotCoerceError(SyntaxOrAccessError):
    """42846 cannot_coerce."""

    sqlstate = "42846"


class UndefinedFunctionError(SyntaxOrAccessError):
    """42883 undefined_function."""

    sqlstate = "42883"


class GeneratedAlwaysError(SyntaxOrAccessError):
    """428C9 generated_always."""

    sqlstate = "428C9"


class ReservedNameError(SyntaxOrAccessError):
    """42939 reserved_name."""

    sqlstate = "42939"


class UndefinedTableError(SyntaxOrAccessError):
    """42P01 undefined_table."""

    sqlstate = "42P01"


class UndefinedParameterError(SyntaxOrAccessError):
    """42P02 undefined_parameter."""

    sqlstate = "42P02"


class DuplicateCursorError(SyntaxOrAccessError):
    """42P03 duplicate_cursor."""

    sqlstate = "42P03"


class DuplicateDatabaseError(SyntaxOrAccessError):
    """42P04 duplicate_database."""

    sqlstate = "42P04"


class DuplicatePreparedStatementError(SyntaxOrAccessError):
    """42P05 duplicate_prepared_statement."""

    sqlstate = "42P05"


class DuplicateSchemaError(SyntaxOrAccessError):
    """42P06 duplicate_schema."""

    sqlstate = "42P06"


class DuplicateTableError(SyntaxOrAccessError):
    """42P07 duplicate_table."""

    sqlstate = "42P07"


class AmbiguousParameterError(SyntaxOrAccessError):
    """42P08 ambiguous_parameter."""

    sqlstate = "42P08"


class AmbiguousAliasError(SyntaxOrAccessError):
    """42P09 ambiguous_alias."""

    sqlstate = "42P09"


class InvalidColumnReferenceError(SyntaxOrAccessError):
    """42P10 invalid_column_reference."""

    sqlstate = "42P10"


class InvalidCursorDefinitionError(SyntaxOrAccessError):
    """42P11 invalid_cursor_definition."""

    sqlstate = "42P11"


class InvalidDatabaseDefinitionError(SyntaxOrAccessError):
    """42P12 invalid_database_definition."""

    sqlstate = "42P12"


class InvalidFunctionDefinitionError(SyntaxOrAccessError):
    """42P13 invalid_function_definition."""

    sqlstate = "42P13"


class InvalidPreparedStatementDefinitionError(SyntaxOrAccessError):
    """42P14 invalid_prepared_statement_definition."""

    sqlstate = "42P14"


class InvalidSchemaDefinitionError(SyntaxOrAccessError):
    """42P15 invalid_schema_definition."""

    sqlstate = "42P15"


class InvalidTableDefinitionError(SyntaxOrAccessError):
    """42P16 invalid_table_definition."""

    sqlstate = "42P16"


class InvalidObjectDefinitionError(SyntaxOrAccessError):
    """42P17 invalid_object_definition."""

    sqlstate = "42P17"


class IndeterminateDatatypeError(SyntaxOrAccessError):
    """42P18 indeterminate_datatype."""

    sqlstate = "42P18"


class InvalidRecursionError(SyntaxOrAccessError):
    """42P19 invalid_recursion."""

    sqlstate = "42P19"


class WindowingError(SyntaxOrAccessError):
    """42P20 windowing_error."""

    sqlstate = "42P20"


class CollationMismatchError(SyntaxOrAccessError):
    """42P21 collation_mismatch."""

    sqlstate = "42P21"


class IndeterminateCollationError(SyntaxOrAccessError):
    """42P22 indeterminate_collation."""

    sqlstate = "42P22"


class WithCheckOptionViolationError(PostgresError):
    """44000 with_check_option_violation."""

    sqlstate = "44000"


class InsufficientResourcesError(PostgresError):
    """53000 insufficient_resources."""

    sqlstate = "53000"


class DiskFullError(InsufficientResourcesError):
    """53100 disk_full."""

    sqlstate = "53100"


class OutOfMemoryError(InsufficientResourcesError):
    """53200 out_of_memory."""

    sqlstate = "53200"


class TooManyConnectionsError(InsufficientResourcesError):
    """53300 too_many_connections."""

    sqlstate = "53300"


class ConfigurationLimitExceededError(InsufficientResourcesError):
    """53400 configuration_limit_exceeded."""

    sqlstate = "53400"


class ProgramLimitExceededError(PostgresError):
    """54000 program_limit_exceeded."""

    sqlstate = "54000"


class StatementTooComplexError(ProgramLimitExceededError):
    """54001 statement_too_complex."""

    sqlstate = "54001"


class TooManyColumnsError(ProgramLimitExceededError):
    """54011 too_many_columns."""

    sqlstate = "54011"


class TooManyArgumentsError(ProgramLimitExceededError):
    """54023 too_many_arguments."""

    sqlstate = "54023"


class ObjectNotInPrerequisiteStateError(PostgresError):
    """55000 object_not_in_prerequisite_state."""

    sqlstate = "55000"


class ObjectInUseError(ObjectNotInPrerequisiteStateError):
    """55006 object_in_use."""

    sqlstate = "55006"


class CantChangeRuntimeParamError(ObjectNotInPrerequisiteStateError):
    """55P02 cant_change_runtime_param."""

    sqlstate = "55P02"


class LockNotAvailableError(ObjectNotInPrerequisiteStateError):
    """55P03 lock_not_available."""

    sqlstate = "55P03"


class UnsafeNewEnumValueUsageError(ObjectNotInPrerequisiteStateError):
    """55P04 unsafe_new_enum_value_usage."""

    sqlstate = "55P04"


class OperatorInterventionError(PostgresError):
    """57000 operator_intervention."""

    sqlstate = "57000"


class QueryCanceledError(OperatorInterventionError):
    """57014 query_canceled."""

    sqlstate = "57014"


class AdminShutdownError(OperatorInterventionError):
    """57P01 admin_shutdown."""

    sqlstate = "57P01"


class CrashShutdownError(OperatorInterventionError):
    """57P02 crash_shutdown."""

    sqlstate = "57P02"


class CannotConnectNowError(OperatorInterventionError):
    """57P03 cannot_connect_now."""

    sqlstate = "57P03"


class DatabaseDroppedError(OperatorInterventionError):
    """57P04 database_dropped."""

    sqlstate = "57P04"


class IdleSessionTimeoutError(OperatorInterventionError):
    """57P05 idle_session_timeout."""

    sqlstate = "57P05"


class PostgresSystemError(PostgresError):
    """58000 system_error."""

    sqlstate = "58000"


class PostgresIOError(PostgresSystemError):
    """58030 io_error."""

    sqlstate = "58030"


class UndefinedFileError(PostgresSystemError):
    """58P01 undefined_file."""

    sqlstate = "58P01"


class DuplicateFileError(PostgresSystemError):
    """58P02 duplicate_file."""

    sqlstate = "58P02"


class FileNameTooLongError(PostgresSystemError):
    """58P03 file_name_too_long."""

    sqlstate = "58P03"


class SnapshotTooOldError(PostgresError):
    """72000 snapshot_too_old."""

    sqlstate = "72000"


class ConfigFileError(PostgresError):
    """F0000 config_file_error."""

    sqlstate = "F0000"


class LockFileExistsError(ConfigFileError):
    """F0001 lock_file_exists."""

    sqlstate = "F0001"


class FDWError(PostgresError):
    """HV000 fdw_error."""

    sqlstate = "HV000"


class FDWOutOfMemoryError(FDWError):
    """HV001 fdw_out_of_memory."""

    sqlstate = "HV001"


class FDWDynamicParameterValueNeededError(FDWError):
    """HV002 fdw_dynamic_parameter_value_needed."""

    sqlstate = "HV002"


class FDWInvalidDataTypeError(FDWError):
    """HV004 fdw_invalid_data_type."""

    sqlstate = "HV004"


class FDWColumnNameNotFoundError(FDWError):
    """HV005 fdw_column_name_not_found."""

    sqlstate = "HV005"


class FDWInvalidDataTypeDescriptorsError(FDWError):
    """HV006 fdw_invalid_data_type_descriptors."""

    sqlstate = "HV006"


class FDWInvalidColumnNameError(FDWError):
    """HV007 fdw_invalid_column_name."""

    sqlstate = "HV007"


class FDWInvalidColumnNumberError(FDWError):
    """HV008 fdw_invalid_column_number."""

    sqlstate = "HV008"


class FDWInvalidUseOfNullPointerError(FDWError):
    """HV009 fdw_invalid_use_of_null_pointer."""

    sqlstate = "HV009"


class FDWInvalidStringFormatError(FDWError):
    """HV00A fdw_invalid_string_format."""

    sqlstate = "HV00A"


class FDWInvalidHandleError(FDWError):
    """HV00B fdw_invalid_handle."""

    sqlstate = "HV00B"


class FDWInvalidOptionIndexError(FDWError):
    """HV00C fdw_invalid_option_index."""

    sqlstate = "HV00C"


class FDWInvalidOptionNameError(FDWError):
    """HV00D fdw_invalid_option_name."""

    sqlstate = "HV00D"


class FDWOptionNameNotFoundError(FDWError):
    """HV00J fdw_option_name_not_found."""

    sqlstate = "HV00J"


class FDWReplyHandleError(FDWError):
    """HV00K fdw_reply_handle."""

    sqlstate = "HV00K"


class FDWUnableToCreateExecutionError(FDWError):
    """HV00L fdw_unable_to_create_execution."""

    sqlstate = "HV00L"


class FDWUnableToCreateReplyError(FDWError):
    """HV00M fdw_unable_to_create_reply."""

    sqlstate = "HV00M"


class FDWUnableToEstablishConnectionError(FDWError):
    """HV00N fdw_unable_to_establish_connection."""

    sqlstate = "HV00N"


class FDWNoSchemasError(FDWError):
    """HV00P fdw_no_schemas."""

    sqlstate = "HV00P"


class FDWSchemaNotFoundError(FDWError):
    """HV00Q fdw_schema_not_found."""

    sqlstate = "HV00Q"


class FDWTableNotFoundError(FDWError):
    """HV00R fdw_table_not_found."""

    sqlstate = "HV00R"


class FDWFunctionSequenceError(FDWError):
    """HV010 fdw_function_sequence_error."""

    sqlstate = "HV010"


class FDWTooManyHandlesError(FDWError):
    """HV014 fdw_too_many_handles."""

    sqlstate = "HV014"


class FDWInconsistentDescriptorInformationError(FDWError):
    """HV021 fdw_inconsistent_descriptor_information."""

    sqlstate = "HV021"


class FDWInvalidAttributeValueError(FDWError):
    """HV024 fdw_invalid_attribute_value."""

    sqlstate = "HV024"


class FDWInvalidStringLengthOrBufferLengthError(FDWError):
    """HV090 fdw_invalid_string_length_or_buffer_length."""

    sqlstate = "HV090"


class FDWInvalidDescriptorFieldIdentifierError(FDWError):
    """HV091 fdw_invalid_descriptor_field_identifier."""

    sqlstate = "HV091"


class PLPGSQLError(PostgresError):
    """P0000 plpgsql_error."""

    sqlstate = "P0000"


class RaiseError(PLPGSQLError):
    """P0001 raise_exception."""

    sqlstate = "P0001"


class NoDataFoundError(PLPGSQLError):
    """P0002 no_data_found."""

    sqlstate = "P0002"


class TooManyRowsError(PLPGSQLError):
    """P0003 too_many_rows."""

    sqlstate = "P0003"


class AssertError(PLPGSQLError):
    """P0004 assert_failure."""

    sqlstate = "P0004"


class InternalServerError(PostgresError):
    """XX000 internal_error."""

    sqlstate = "XX000"


class DataCorruptedError(InternalServerError):
    """XX001 data_corrupted."""

    sqlstate = "XX001"


class IndexCorruptedError(InternalServerError):
    """XX002 index_corrupted."""

    sqlstate = "XX002"
