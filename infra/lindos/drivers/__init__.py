"""Protocol in, result out: how BMCs, switches and hosts are spoken to. Knows no plan."""
