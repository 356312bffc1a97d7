"""Every class of fault, planted in a good backend or preprocessor in several strengths: what catches it, down to which."""
