"""A stock client of xend: lists domains, follows a console until TEXT is there, and says what becomes of an operating call.

follow.py TARGET DOMAIN TEXT [FOLDER NAME]   with FOLDER the target is HOST:PORT, and NAME's certificate in that folder is shown
"""
import sys
import grpc
import xend_pb2 as pb
from xend_pb2_grpc import XendStub


def read(path):
    with open(path, "rb") as file:
        return file.read()


def channel(target, folder=None, name=None):
    if folder is None:
        return grpc.insecure_channel(target)
    return grpc.secure_channel(target, grpc.ssl_channel_credentials(
        root_certificates=read(f"{folder}/ca.crt"), private_key=read(f"{folder}/{name}.key"), certificate_chain=read(f"{folder}/{name}.crt")))


target, domain, text, *tls = sys.argv[1:]
with channel(target, *tls) as connection:
    xend = XendStub(connection)
    try:
        print(*(d.name for d in xend.ListDomains(pb.ListDomainsRequest(), timeout=60).domains))
        seen = b""
        console = xend.Console(iter([pb.ConsoleInput(open=pb.ConsoleOpen(domain=domain))]), timeout=60)
        for output in console:
            seen += output.data
            if text.encode() in seen:
                break
        console.cancel()
        print(seen.decode().strip())
        xend.PauseDomain(pb.DomainRequest(domain=domain), timeout=60)
        print("paused")
    except grpc.RpcError as error:
        print(error.code().name, error.details())
