"""What the details of a face are worth: their method is fitted here, and measured."""
