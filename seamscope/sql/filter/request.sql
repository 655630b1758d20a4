{condition}
