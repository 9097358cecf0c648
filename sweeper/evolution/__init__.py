"""Population-based training: members that train side by side, copy from each other and change what they are trained
with on the way."""
