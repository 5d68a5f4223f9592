import io.github.libeventsource.Event;
import io.github.libeventsource.EventSource;
import java.util.concurrent.CountDownLatch;

/** Prints the data of each message until the server ends the stream. */
public final class Client {
    public static void main(String[] arguments) throws InterruptedException {
        CountDownLatch closed = new CountDownLatch(1);
        try (EventSource source = new EventSource(arguments[0])) {
            source.start(new EventSource.Listener() {
                @Override
                public void onMessage(EventSource source, Event.Message event) {
                    System.out.println(event.getData());
                }

                @Override
                public void onClose(EventSource source, Event.Close event) {
                    closed.countDown();
                }
            });
            closed.await();
        }
    }
}
