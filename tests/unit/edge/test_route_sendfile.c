// SPDX-License-Identifier: Apache-2.0
// X-Sendfile reads below its folders only.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../claim.h"

#include "base/addr.h"
#include "base/die.h"
#include "edge/resolve.h"
#include "edge/route.h"
#include "sites.h"

static const char *sendfile(const char *host, const char *below)
{
    struct req *r = tree_req("POST", host, "/hello.php");
    char *path =
        below[0] == '/' || !below[0] || below[0] == '!' ? xstrdup(below[0] == '!' ? below + 1 : below) : tree_path(below);
    route_decide(r, false);
    bool sent = route_open_sendfile(r, path);
    free(path);
    const char *text = "no";
    if (sent) {
        assert_int_equal(r->plan, PLAN_STATIC);
        text = outcome(r);
    }
    tree_req_free(r);
    return text;
}

T(sendfile_reads_below_its_folders_only)
{
    assert_string_equal(sendfile("plain.test", "site/public/photo.jpg"), "file /public/photo.jpg");
    assert_string_equal(sendfile("plain.test", "site/public/../public/./dir//../photo.jpg"), "file /public/photo.jpg");
    assert_string_equal(sendfile("plain.test", "store/file.bin"), "file /file.bin");
    assert_string_equal(sendfile("plain.test", "store/upload.php"), "file /upload.php"); // somebody's upload
    assert_string_equal(sendfile("plain.test", "site/config/db.php"), "no");
    assert_string_equal(sendfile("plain.test", "site/public/evil2.jpg"), "no"); // a link to it
    assert_string_equal(sendfile("plain.test", "store/../site/config/db.php"), "no");
    assert_string_equal(sendfile("plain.test", "outside/out.txt"), "no");
    assert_string_equal(sendfile("plain.test", "site/../outside/out.txt"), "no");
    assert_string_equal(sendfile("plain.test", "site/.git/config"), "no");
    assert_string_equal(sendfile("plain.test", "site/public/.env"), "no");
    assert_string_equal(sendfile("plain.test", "site/public/env.txt"), "no");
    assert_string_equal(sendfile("plain.test", "site/public/dir"), "no");
    assert_string_equal(sendfile("plain.test", "site/public/fifo"), "no");
    assert_string_equal(sendfile("plain.test", "site"), "no");
    assert_string_equal(sendfile("plain.test", "sitex/file"), "no");
    assert_string_equal(sendfile("plain.test", "/etc/passwd"), "no");
    assert_string_equal(sendfile("plain.test", "!photo.jpg"), "no");
    assert_string_equal(sendfile("plain.test", ""), "no");
    assert_string_equal(sendfile("off.test", "site/public/in.css"), "no");
    assert_string_equal(sendfile("plain.test", "site/public/in.css"), "file /public/in.css");
}

T(sendfile_knows_a_folder_by_another_name)
{
    char *other = tree_path("alias-of-site"), *target = tree_path("site");
    assert_int_equal(symlink(target, other), 0);
    assert_string_equal(sendfile("plain.test", "alias-of-site/public/photo.jpg"), "file /public/photo.jpg");
    assert_string_equal(sendfile("plain.test", "alias-of-site/config/db.php"), "no");
    assert_string_equal(sendfile("off.test", "alias-of-site/public/photo.jpg"), "no");
    assert_int_equal(unlink(other), 0);
    free(other);
    free(target);
}

WITH_TREE(S(sendfile_reads_below_its_folders_only), S(sendfile_knows_a_folder_by_another_name))
