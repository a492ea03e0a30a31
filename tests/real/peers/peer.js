// peer.js TYPE bind|connect ENDPOINT null|plain|curve: a socket of the npm package `zeromq`, controlled by lines.
//
// A line of the input is a message to send, its frames in hexadecimal digits, separated by commas. Each received message is
// printed in the same form. Rep and Router return each message. The first line of the output is the endpoint. The side that
// binds is the server of the security mechanism. Keys and the password are in the environment.
"use strict"
const readline = require("readline")
const zmq = require(process.env.SANSMQ_REAL_ZEROMQ || "zeromq")

const [type, method, endpoint, mechanism] = process.argv.slice(2)
const types = {
  REQ: zmq.Request, REP: zmq.Reply, DEALER: zmq.Dealer, ROUTER: zmq.Router,
  PUB: zmq.Publisher, SUB: zmq.Subscriber, PUSH: zmq.Push, PULL: zmq.Pull,
}

function security() {
  const { USER, PASSWORD, OWN_PUBLIC, OWN_SECRET, SERVER_PUBLIC } = process.env
  const server = method === "bind"
  if (mechanism === "plain") return server ? { plainServer: true } : { plainUsername: USER, plainPassword: PASSWORD }
  if (mechanism === "curve") {
    const own = { curvePublicKey: OWN_PUBLIC, curveSecretKey: OWN_SECRET }
    return server ? { ...own, curveServer: true } : { ...own, curveServerKey: SERVER_PUBLIC }
  }
  return {}
}

// Answers the questions of a PLAIN server whether a password is right, as RFC 27 describes.
async function authenticate() {
  const { USER, PASSWORD } = process.env
  const handler = new zmq.Reply({ linger: 0 })
  await handler.bind("inproc://zeromq.zap.01")
  for await (const [version, id, , , , , user, password] of handler) {
    const right = user.toString() === USER && password.toString() === PASSWORD
    await handler.send([version, id, right ? "200" : "400", right ? "OK" : "wrong password", "", ""])
  }
}

const decode = line => line.split(",").map(frame => Buffer.from(frame, "hex"))
const print = message => console.log(message.map(frame => frame.toString("hex")).join(","))

async function run() {
  if (mechanism === "plain" && method === "bind") authenticate()
  const socket = new types[type]({ ...security(), linger: 0 })
  if (type === "SUB") socket.subscribe("news")
  if (method === "bind") await socket.bind(endpoint)
  else socket.connect(endpoint)
  console.log(socket.lastEndpoint)
  if (type === "REP" || type === "ROUTER") for await (const message of socket) await socket.send(message)
  else if (type === "PULL" || type === "SUB") for await (const message of socket) print(message)
  else
    for await (const line of readline.createInterface({ input: process.stdin })) {
      await socket.send(decode(line))
      if (type === "REQ" || type === "DEALER") print(await socket.receive())
    }
}

run().then(() => process.exit(0), error => {
  console.error(error)
  process.exit(1)
})
