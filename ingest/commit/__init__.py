"""From a validated request to the ledger: admit, bind, commit, answer."""
