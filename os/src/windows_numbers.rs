//! Numbers of Windows errors. `std` has no [`ErrorKind`](std::io::ErrorKind) for some of them. Compiled for tests on every system.

use sansmq_proto::NetworkError;

// Winsock: WSAEMFILE and others. The numbers are part of the interface of Windows, and never change.
const WSAEMFILE: i32 = 10_024;
#[cfg(windows)]
pub(crate) const WSAENOPROTOOPT: i32 = 10_042;
const WSAEPROTONOSUPPORT: i32 = 10_043;
const WSAEAFNOSUPPORT: i32 = 10_047;
const WSAENETDOWN: i32 = 10_050;
const WSAENETUNREACH: i32 = 10_051;
const WSAENETRESET: i32 = 10_052;
const WSAECONNABORTED: i32 = 10_053;
const WSAECONNRESET: i32 = 10_054;
const WSAENOBUFS: i32 = 10_055;
const WSAESHUTDOWN: i32 = 10_058;
const WSAETIMEDOUT: i32 = 10_060;
const WSAECONNREFUSED: i32 = 10_061;
const WSAEHOSTDOWN: i32 = 10_064;
const WSAEHOSTUNREACH: i32 = 10_065;

// The system itself. Overlapped calls return these numbers instead of those of Winsock.
const ERROR_TOO_MANY_OPEN_FILES: i32 = 4;
const ERROR_NETNAME_DELETED: i32 = 64;
const ERROR_SEM_TIMEOUT: i32 = 121;
const ERROR_CONNECTION_REFUSED: i32 = 1225;
const ERROR_NETWORK_UNREACHABLE: i32 = 1231;
const ERROR_HOST_UNREACHABLE: i32 = 1232;
const ERROR_PORT_UNREACHABLE: i32 = 1234;
const ERROR_CONNECTION_ABORTED: i32 = 1236;

/// Returns the error with this number of a network call, or `None` for a number that `std` converts as exactly.
pub(crate) const fn network_error(number: i32) -> Option<NetworkError> {
    Some(match number {
        // Winsock also returns WSAENOBUFS if there is no free port for another connection.
        WSAEMFILE | WSAENOBUFS | ERROR_TOO_MANY_OPEN_FILES => NetworkError::TooManyFiles,
        // On a system without IPv6.
        WSAEAFNOSUPPORT | WSAEPROTONOSUPPORT => NetworkError::AddressUnavailable,
        WSAENETDOWN
        | WSAENETUNREACH
        | WSAEHOSTDOWN
        | WSAEHOSTUNREACH
        | ERROR_NETWORK_UNREACHABLE
        | ERROR_HOST_UNREACHABLE => NetworkError::Unreachable,
        // WSAENETRESET: keep-alive has found that the peer is lost.
        WSAENETRESET
        | WSAECONNABORTED
        | WSAECONNRESET
        | WSAESHUTDOWN
        | ERROR_NETNAME_DELETED
        | ERROR_CONNECTION_ABORTED => NetworkError::Reset,
        WSAETIMEDOUT | ERROR_SEM_TIMEOUT => NetworkError::TimedOut,
        WSAECONNREFUSED | ERROR_CONNECTION_REFUSED | ERROR_PORT_UNREACHABLE => NetworkError::Refused,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_error_numbers_have_exact_errors() {
        let expected = [
            (NetworkError::TooManyFiles, &[4, 10_024, 10_055][..]),
            (NetworkError::AddressUnavailable, &[10_043, 10_047]),
            (NetworkError::Unreachable, &[1231, 1232, 10_050, 10_051, 10_064, 10_065]),
            (NetworkError::Reset, &[64, 1236, 10_052, 10_053, 10_054, 10_058]),
            (NetworkError::TimedOut, &[121, 10_060]),
            (NetworkError::Refused, &[1225, 1234, 10_061]),
        ];
        for (error, numbers) in expected {
            for number in numbers {
                assert_eq!(network_error(*number), Some(error), "{number}");
            }
        }
        // WSAEACCES, WSAEWOULDBLOCK, WSAEADDRINUSE, WSAEADDRNOTAVAIL: as `std` converts them.
        for number in [0, 10_013, 10_035, 10_048, 10_049] {
            assert_eq!(network_error(number), None, "{number}");
        }
    }

    /// The numbers in errors of the operating system itself.
    #[test]
    #[cfg(windows)]
    fn errors_of_windows_are_converted() {
        let of = |number| crate::error(&std::io::Error::from_raw_os_error(number));
        assert_eq!(of(WSAEMFILE), NetworkError::TooManyFiles);
        assert_eq!(of(10_013), NetworkError::PermissionDenied);
        assert_eq!(of(10_048), NetworkError::AddressInUse);
        assert_eq!(of(10_049), NetworkError::AddressUnavailable);
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = taken.local_addr().unwrap();
        assert_eq!(
            of(std::net::TcpListener::bind(at).unwrap_err().raw_os_error().unwrap()),
            NetworkError::AddressInUse
        );
    }
}
