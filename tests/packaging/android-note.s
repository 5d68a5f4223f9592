// What the NDK's crtbegin_so.o would say: made for API level 21. The NDK's version is left empty, since there was none.
  .section .note.android.ident, "a", %note
  .balign 4
  .long 8
  .long 4
  .long 1
  .asciz "Android"
  .long 21
  .section .note.GNU-stack, "", %progbits
