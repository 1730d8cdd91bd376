"""Redaction: what of records is masked, hashed or dropped before it is stored."""
