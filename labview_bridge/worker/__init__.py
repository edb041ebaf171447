"""The worker: the process that owns the core, and answers what LabVIEW loads over a loopback connection."""
