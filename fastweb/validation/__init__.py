"""Validation: an annotation becomes a schema, and the schema a validator, a serializer and a JSON schema."""
