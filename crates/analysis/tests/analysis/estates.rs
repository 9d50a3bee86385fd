//! Generated estates with real field widths: what must hold of every answer.
