# The programs of these names ask logind first, which is not here, and complain before they do it.
poweroff() { systemctl start --no-block --job-mode=replace-irreversibly poweroff.target; }
reboot() { systemctl start --no-block --job-mode=replace-irreversibly reboot.target; }
halt() { systemctl start --no-block --job-mode=replace-irreversibly halt.target; }
