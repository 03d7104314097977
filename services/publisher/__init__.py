"""The publish stage: an accepted master becomes the files that its catalogue hands out."""
