"""The hub against an OCPI library that nobody here wrote: extrawest-ocpi, as CPO and as eMSP."""
