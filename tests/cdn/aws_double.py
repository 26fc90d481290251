"""A double of AWS: ACM and CloudFront on one port.

    python3 aws_double.py FOLDER

Beside what every double reads of FOLDER/double.json it knows
    "region"      whose ACM it is; default us-east-1
    "import_lag"  how many UpdateDistribution calls that name a newly imported certificate fail, as they do
                  until CloudFront knows of it; default 0
    "page"        how many objects an answer lists at most, whatever the request allows
"""
import sys

sys.dont_write_bytecode = True

from aws_acm import Acm  # noqa: E402
from aws_cloudfront import CloudFront  # noqa: E402
from double import Double  # noqa: E402


class Aws:
    def __init__(self, settings, clock):
        self.acm = Acm(settings, clock)
        self.cloudfront = CloudFront(settings, clock, self.acm)
        self.acm.users_of = self.cloudfront.users_of

    def service(self, request):
        return self.acm if request.path == '/' else self.cloudfront

    def operation(self, request):
        return self.service(request).operation(request)

    def check(self, request):
        self.service(request).check(request)

    def handle(self, request):
        return self.service(request).handle(request)

    def failure(self, request, refusal):
        return self.service(request).failure(request, refusal)

    def state(self):
        return {'distributions': self.cloudfront.state(), 'certificates': self.acm.state()}


if __name__ == '__main__':
    Double(sys.argv[1], Aws).serve()
