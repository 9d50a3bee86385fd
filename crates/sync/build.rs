//! Compiles the protocol with protoc.

fn main() -> std::io::Result<()> {
    tonic_prost_build::configure()
        .bytes(".palisade.fleet.v1.Document.body")
        .bytes(".palisade.fleet.v1.TunnelUp.data")
        .bytes(".palisade.fleet.v1.TunnelDown.data")
        .compile_protos(&["proto/fleet.proto"], &["proto"])
}
