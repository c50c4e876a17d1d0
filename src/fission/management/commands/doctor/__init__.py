"""`fission doctor`: measures machines and the ways between them, and shows what is wrong with them."""
