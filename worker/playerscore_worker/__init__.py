"""What runs in the pod: fetch, preview, analyze, report."""
