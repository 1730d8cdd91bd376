"""What distinguishes a selection of records from a baseline."""
