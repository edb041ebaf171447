"""The LabVIEW side: what the VI loads, and the worker that answers it."""
