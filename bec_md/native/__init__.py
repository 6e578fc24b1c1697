"""C++ source of the native evaluator; `bec_md.network.native` compiles, loads and calls it."""
