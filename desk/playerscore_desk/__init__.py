"""The console over a folder: the API's own routes, with files in place of Kubernetes, store and operator."""
