"""The steps of a post's way, one file each; `pipeline.STAGES` has them in order."""
