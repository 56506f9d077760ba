"""The two HTTP faces of the control plane: operators (`/api/v1`) and workers (`/w/1`)."""
