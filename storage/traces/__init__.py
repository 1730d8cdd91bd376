"""Reading spans: traces whole, lists of them, figures over them."""
