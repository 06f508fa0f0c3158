//! A guest in 512 bytes, for tests that need a real machine and no operating system.

/// How the guest behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "not every test needs every kind")]
pub(crate) enum Guest {
    /// Powers off when its button is pressed.
    Obeys,
    /// Does not feel the button.
    Ignores,
    /// Powers off at once.
    PowersOff,
    /// Writes to its disk without end.
    Fills,
}

/// A disk whose boot sector says `up` on the serial port, then behaves as it should.
pub(crate) fn disk(guest: Guest) -> Vec<u8> {
    let enable = if guest == Guest::Ignores { 0x00 } else { 0x01 };
    let wait: [u8; 2] = if guest == Guest::PowersOff {
        [0x90, 0x90]
    } else {
        [0x74, 0xfa]
    };
    let mut code = vec![
        0xfa, 0xfc, 0x31, 0xc0, 0x8e, 0xd8, // cli; cld; xor ax, ax; mov ds, ax
        0xba, 0xf8, 0x03, 0xbe, 0x80, 0x7c, // mov dx, 0x3f8 (COM1); mov si, the text
        0xac, 0x84, 0xc0, 0x74, 0x03, 0xee, 0xeb, 0xf8, // each byte of it: out dx, al
        0xba, 0x02, 0x06, 0xb8, 0x00, enable,
        0xef, // the power button's enable bit, port 0x602
        0xba, 0x00, 0x06, // its status, port 0x600:
        0xed, 0xf6, 0xc4, 0x01, wait[0], wait[1], // in ax, dx; test ah, 1; jz back
        0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef, // soft off: 0x2000 to port 0x604
        0xf4, 0xeb, 0xfd, // hlt; jmp back
    ];
    if guest == Guest::Fills {
        code.truncate(20); // after the text
        code.extend([
            0xbe, 0x90, 0x7c, 0xb8, 0x00, 0x43, 0xb2,
            0x80, // mov si, the request; ah 0x43, dl 0x80
            0xcd, 0x13, // int 0x13: write
            0x66, 0x83, 0x06, 0x98, 0x7c, 0x7f, // add dword [its address], 127
            0xeb, 0xee, // jmp back
        ]);
    }
    code.resize(0x80, 0);
    code.extend(b"up\r\n\0");
    code.resize(0x90, 0);
    // 16 bytes, 127 sectors, from 0x1000:0, to sector 2048 and on
    code.extend([0x10, 0, 0x7f, 0, 0, 0, 0, 0x10, 0, 0x08, 0, 0, 0, 0, 0, 0]);
    code.resize(510, 0);
    code.extend([0x55, 0xaa]);
    code.resize(1 << 20, 0);
    code
}
