# One program of the control plane as an image: nothing but its binary.
FROM scratch
ARG PROGRAM
COPY ${PROGRAM} /usr/local/bin/${PROGRAM}
ENV PATH=/usr/local/bin
