"""The results of a batch job in the app: read, filtered and sorted, and a page of them at a time as a stack."""
