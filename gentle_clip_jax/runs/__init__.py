"""The folder of a run: what lies in it, who may write there, and what is read back."""
