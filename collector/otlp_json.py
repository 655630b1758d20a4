def read_json(*a): raise NotImplementedError
