import com.twitter.finagle.ListeningServer;
import com.twitter.finagle.Mux;
import com.twitter.finagle.Path;
import com.twitter.finagle.Service;
import com.twitter.finagle.mux.Request;
import com.twitter.finagle.mux.Requests;
import com.twitter.finagle.mux.Response;
import com.twitter.finagle.mux.Responses;
import com.twitter.io.Buf;
import com.twitter.util.Await;
import com.twitter.util.Duration;
import com.twitter.util.Future;
import java.util.ArrayList;
import java.util.List;

/**
 * A server of Finagle's Mux, and a client of it in the same process: MuxPeer PORT REQUESTS. A line of input starts the
 * client. Of ten requests one is answered by an error, and one is sent in fragments, as is its answer.
 */
final class MuxPeer {
    private static final int SMALL = 20;
    private static final int LARGE = 200_000;
    private static final int FAILS = 4;

    public static void main(String[] arguments) throws Exception {
        String address = "127.0.0.1:" + arguments[0];
        int requests = Integer.parseInt(arguments[1]);
        ListeningServer server = Mux.serve(address, new Service<Request, Response>() {
            @Override
            public Future<Response> apply(Request request) {
                boolean fails = request.body().length() == FAILS;
                return fails
                    ? Future.exception(new IllegalStateException("asked to fail"))
                    : Future.value(Responses.make(request.body()));
            }
        });
        System.in.read();
        Service<Request, Response> client = Mux.newService(address);
        List<Future<Response>> asked = new ArrayList<>();
        for (int at = 0; at < requests; at++) {
            int size = at % 10 == 9 ? FAILS : at % 10 == 5 ? LARGE : SMALL;
            Buf body = new Buf.ByteArray(new byte[size], 0, size);
            asked.add(client.apply(Requests.make(Path.empty(), body)));
        }
        int answered = 0;
        for (Future<Response> one : asked) {
            answered += Await.result(one.liftToTry(), Duration.fromSeconds(30)).isReturn() ? 1 : 0;
        }
        Await.result(client.close(), Duration.fromSeconds(5));
        Await.result(server.close(), Duration.fromSeconds(5));
        System.out.println("answered " + answered);
        System.exit(0);
    }
}
