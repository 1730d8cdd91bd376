"""The plain decoders, which define the results of the columnar ones."""
