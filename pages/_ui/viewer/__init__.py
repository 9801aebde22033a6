"""What the viewer page draws with: upload field, viewer, gallery."""
