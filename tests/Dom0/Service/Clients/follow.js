// A stock client of xend: lists domains, follows a console until TEXT is there, and says what becomes of an operating call.
//
// follow.js PROTO TARGET DOMAIN TEXT [FOLDER NAME]   with FOLDER the target is HOST:PORT, and NAME's certificate in that folder is shown
const fs = require("fs");
const grpc = require("@grpc/grpc-js");
const [proto, target, domain, text, folder, name] = process.argv.slice(2);
const definition = require("@grpc/proto-loader").loadSync(proto, { keepCase: true, longs: Number, enums: String, defaults: true });
const { Xend } = grpc.loadPackageDefinition(definition).xen.xend.v1;

const read = (file) => fs.readFileSync(`${folder}/${file}`);
const xend = new Xend(target, folder
  ? grpc.credentials.createSsl(read("ca.crt"), read(`${name}.key`), read(`${name}.crt`))
  : grpc.credentials.createInsecure());

const deadline = () => ({ deadline: Date.now() + 60000 });
const fail = (error) => {
  console.log(grpc.status[error.code], error.details);
  xend.close();
};

xend.ListDomains({}, deadline(), (error, reply) => {
  if (error) return fail(error);
  console.log(reply.domains.map((d) => d.name).join(" "));
  let seen = "";
  const console_ = xend.Console(deadline());
  console_.on("error", (e) => e.code === grpc.status.CANCELLED || fail(e));
  console_.on("data", (output) => {
    if (seen.includes(text)) return;
    seen += output.data.toString("latin1");
    if (!seen.includes(text)) return;
    console.log(seen.trim());
    console_.cancel();
    xend.PauseDomain({ domain }, deadline(), (e) => {
      if (e) return fail(e);
      console.log("paused");
      xend.close();
    });
  });
  console_.write({ open: { domain } });
});
