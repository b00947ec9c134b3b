"""Many runs of one config: which ones, on this machine or on a cluster, and how far they are."""
