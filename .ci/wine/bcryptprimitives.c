// The library `bcryptprimitives` of Windows, with the only function that the standard library of Rust calls. Wine before 9 lacks
// it. Compiled by `.ci/platform-tests`.
#include <windows.h>
#include <ntsecapi.h> // RtlGenRandom

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T size) {
    return RtlGenRandom(data, (ULONG)size);
}
