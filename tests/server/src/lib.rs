//! The scripted SSE server that every test talks to.
