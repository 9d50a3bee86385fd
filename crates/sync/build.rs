//! Compiles the protocol with protoc.

fn main() -> std::io::Result<()> {
    tonic_prost_build::configure()
        .bytes(".palisade.fleet.v1.Document.body")
        .compile_protos(&["proto/fleet.proto"], &["proto"])
}
