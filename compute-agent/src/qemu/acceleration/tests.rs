//! The payload is what its source says, and it comes to the result that it should.

use super::*;

/// What the payload computes, computed here.
#[test]
fn the_right_result_is_the_one_that_the_source_describes() {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for round in 0..400_000 {
        hash = (hash ^ round).wrapping_mul(0x0000_0100_0000_01b3);
    }
    let folded = i32::try_from((hash ^ (hash >> 32)) & 0x7f).unwrap();
    assert_eq!((folded << 1) | 1, RIGHT);
}

#[tokio::test]
async fn the_bytes_are_those_of_the_source() {
    let dir = tempfile::tempdir().unwrap();
    let source = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/qemu/acceleration/payload.S"
    );
    let (object, binary) = (dir.path().join("o"), dir.path().join("bin"));
    let run = async |program: &str, arguments: &[&str]| {
        assert!(
            Command::new(program)
                .args(arguments)
                .status()
                .await
                .unwrap()
                .success()
        );
    };
    run("as", &["--32", source, "-o", object.to_str().unwrap()]).await;
    run(
        "ld",
        &[
            "-m",
            "elf_i386",
            "-Ttext",
            "0x200000",
            "--oformat",
            "binary",
            object.to_str().unwrap(),
            "-o",
            binary.to_str().unwrap(),
        ],
    )
    .await;
    assert_eq!(std::fs::read(binary).unwrap(), PAYLOAD);
}

#[tokio::test]
async fn emulation_always_works_so_the_payload_is_right() {
    let dir = tempfile::tempdir().unwrap();
    prove(Acceleration::Tcg, dir.path()).await.unwrap();
}

/// Whatever this machine's KVM is like, the choice is made within seconds and agrees with the proof.
#[tokio::test]
async fn auto_trusts_only_what_was_proved() {
    let dir = tempfile::tempdir().unwrap();
    let proved = prove(Acceleration::Kvm, dir.path()).await.is_ok();
    let chosen = Acceleration::choose(VirtType::Auto, dir.path()).await;
    assert_eq!(chosen == Acceleration::Kvm, proved);
}
