"""A stand-in for Kuma: holds its database open, reads its monitors only at the start, and answers for its health."""
import http.server, json, os, signal, sqlite3, sys, threading, time

folder, port = sys.argv[1], int(sys.argv[2])
connection = sqlite3.connect(os.path.join(folder, "kuma.db"), check_same_thread=False)
names = [row[0] for row in connection.execute("SELECT name FROM monitor")]
with open(os.path.join(folder, "starts"), "a") as log:
    log.write(json.dumps(names) + "\n")
if "crash" in names:
    sys.exit(7)
state = "setup-database" if "mute" in names else "entryPage"

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/exit":
            os._exit(5)
        body = json.dumps({"type": state, "entryPage": None}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)

def stop(*_):
    def end():
        time.sleep(0.3)
        connection.close()
        open(os.path.join(folder, "ended"), "a").write("in order\n")
        server.shutdown()
    threading.Thread(target=end).start()

def outlive_nothing():
    # A test that ends takes its folder with it, and must not leave a process behind that holds a runner's pipes.
    while os.path.exists(folder):
        time.sleep(0.2)
    os._exit(0)

threading.Thread(target=outlive_nothing, daemon=True).start()
signal.signal(signal.SIGTERM, stop)
server.serve_forever()
