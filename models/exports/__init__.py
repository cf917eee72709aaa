"""Reports: named sets of data as files, made by workers and downloaded for a while."""
