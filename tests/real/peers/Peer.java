import java.io.BufferedReader;
import java.io.InputStreamReader;
import org.zeromq.ZMQ;
import org.zeromq.ZMsg;

/**
 * Peer TYPE bind|connect ENDPOINT null|plain|curve: a socket of JeroMQ, controlled by lines as `peer.js` describes.
 *
 * Security is set by reflection, because JeroMQ 0.3 does not have it. `Peer check` prints whether it is there.
 */
public final class Peer {
    public static void main(String[] arguments) throws Exception {
        if (arguments[0].equals("check")) {
            System.out.println(supportsSecurity() ? "security" : "no security");
            return;
        }
        String type = arguments[0], endpoint = arguments[2], mechanism = arguments[3];
        boolean server = arguments[1].equals("bind");
        ZMQ.Context context = ZMQ.context(1);
        if (mechanism.equals("plain") && server) {
            authenticate(context.socket(ZMQ.REP));
        }
        ZMQ.Socket socket = context.socket(ZMQ.class.getField(type).getInt(null));
        secure(socket, mechanism, server);
        if (type.equals("SUB")) {
            socket.subscribe("news".getBytes());
        }
        if (server) {
            int port = socket.bindToRandomPort("tcp://127.0.0.1");
            System.out.println("tcp://127.0.0.1:" + port);
        } else {
            socket.connect(endpoint);
            System.out.println(endpoint);
        }
        switch (type) {
            case "REP": case "ROUTER":
                while (true) {
                    ZMsg.recvMsg(socket).send(socket);
                }
            case "PULL": case "SUB":
                while (true) {
                    print(ZMsg.recvMsg(socket));
                }
            default:
                BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
                for (String line = input.readLine(); line != null; line = input.readLine()) {
                    decode(line).send(socket);
                    if (type.equals("REQ") || type.equals("DEALER")) {
                        print(ZMsg.recvMsg(socket));
                    }
                }
                System.exit(0);
        }
    }

    private static boolean supportsSecurity() {
        try {
            ZMQ.Socket.class.getMethod("setCurveServerKey", byte[].class);
            return true;
        } catch (NoSuchMethodException e) {
            return false;
        }
    }

    private static void secure(ZMQ.Socket socket, String mechanism, boolean server) throws Exception {
        if (mechanism.equals("plain")) {
            if (server) {
                set(socket, "setPlainServer", boolean.class, true);
            } else {
                set(socket, "setPlainUsername", String.class, System.getenv("USER"));
                set(socket, "setPlainPassword", String.class, System.getenv("PASSWORD"));
            }
        } else if (mechanism.equals("curve")) {
            set(socket, "setCurvePublicKey", byte[].class, System.getenv("OWN_PUBLIC").getBytes());
            set(socket, "setCurveSecretKey", byte[].class, System.getenv("OWN_SECRET").getBytes());
            if (server) {
                set(socket, "setCurveServer", boolean.class, true);
            } else {
                set(socket, "setCurveServerKey", byte[].class, System.getenv("SERVER_PUBLIC").getBytes());
            }
        }
    }

    /** Answers the questions of a PLAIN server whether a password is right, as RFC 27 describes. */
    private static void authenticate(ZMQ.Socket handler) {
        handler.bind("inproc://zeromq.zap.01");
        Thread thread = new Thread(() -> {
            while (true) {
                Object[] request = ZMsg.recvMsg(handler).toArray();
                boolean right = request[6].toString().equals(System.getenv("USER"))
                    && request[7].toString().equals(System.getenv("PASSWORD"));
                ZMsg reply = new ZMsg();
                reply.add("1.0");
                reply.add(request[1].toString());
                reply.add(right ? "200" : "400");
                reply.add(right ? "OK" : "wrong password");
                reply.add("");
                reply.add("");
                reply.send(handler);
            }
        });
        thread.setDaemon(true);
        thread.start();
    }

    private static void set(ZMQ.Socket socket, String method, Class<?> type, Object value) throws Exception {
        ZMQ.Socket.class.getMethod(method, type).invoke(socket, value);
    }

    private static ZMsg decode(String line) {
        ZMsg message = new ZMsg();
        for (String digits : line.split(",", -1)) {
            byte[] frame = new byte[digits.length() / 2];
            for (int i = 0; i < frame.length; i++) {
                frame[i] = (byte) Integer.parseInt(digits.substring(2 * i, 2 * i + 2), 16);
            }
            message.add(frame);
        }
        return message;
    }

    private static void print(ZMsg message) {
        StringBuilder line = new StringBuilder();
        while (!message.isEmpty()) {
            for (byte b : message.pop().getData()) {
                line.append(String.format("%02x", b));
            }
            line.append(message.isEmpty() ? "" : ",");
        }
        System.out.println(line);
    }
}
