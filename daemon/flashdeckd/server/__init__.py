"""The socket: who may connect, what each method does, and what clients send and are sent."""
