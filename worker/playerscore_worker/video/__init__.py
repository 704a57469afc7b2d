"""The inside of the decoder's child process: one untrusted video, from its packets to pictures."""
