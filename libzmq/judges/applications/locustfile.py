"""Users that report a request every tenth of a second, for a Locust master and a worker."""

from locust import User, constant, task


class Reporter(User):
    wait_time = constant(0.1)

    @task
    def report(self):
        self.environment.events.request.fire(
            request_type="call", name="report", response_time=1, response_length=1, exception=None, context={}
        )
