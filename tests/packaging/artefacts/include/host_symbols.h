/* Included behind an addon for Windows: HOST_SYMBOLS is X(name) for each function of Node's that the addon calls. */
#include <windows.h>

#define X(name) void *__imp_##name;
HOST_SYMBOLS
#undef X

static int find(HMODULE host, const char *name, void **pointer) {
  *pointer = (void *)(uintptr_t)GetProcAddress(host, name);
  return *pointer != NULL;
}

/* Loading fails, instead of a call later, where the program lacks a function. */
BOOL WINAPI DllMain(HINSTANCE self, DWORD reason, LPVOID reserved) {
  (void)self;
  (void)reserved;
  if (reason != DLL_PROCESS_ATTACH) return TRUE;
  HMODULE host = GetModuleHandleW(NULL);
#define X(name) &&find(host, #name, &__imp_##name)
  return 1 HOST_SYMBOLS;
#undef X
}
